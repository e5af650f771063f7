# SPDX-License-Identifier: GPL-2.0-or-later
"""A commit in the encoding that the user has chosen for his repository (``i18n.commitEncoding``).

What was read is UTF-8, or a commit that names its encoding and keeps it.  Where a letter has no place in the
encoding the commit stays UTF-8, which is right in any repository; git would write it without its encoding.
"""

from __future__ import annotations

from msgspec.structs import replace

from backport.errors import UsageError
from backport.gateway.identity import Signature
from series.model import Identity


def encoded(
    message: bytes, author: Signature, committer: Signature, encoding: str
) -> tuple[bytes, Signature, Signature, bytes | None]:
    """Message and people in ``encoding``, and the header that says so; as they were where that is empty."""
    if not encoding:
        return message, author, committer, None

    def changed(text: bytes) -> bytes:
        return text.decode("utf-8").encode(encoding)

    def person(who: Signature) -> Signature:
        return replace(who, who=Identity(changed(who.who.name), changed(who.who.email)))

    try:
        return changed(message), person(author), person(committer), encoding.encode()
    except UnicodeError:
        return message, author, committer, None
    except LookupError:
        raise UsageError(
            f"git config i18n.commitEncoding: {encoding!r} is no encoding that is known here",
            "UTF-8, git's default, needs no setting",
        ) from None
