# SPDX-License-Identifier: GPL-2.0-or-later
"""What the ``[tags]`` before a subject say: number, count, version.

People and programs write them in many ways; each of these is number 1 of 3 in version 2::

    [PATCH v2 1/3]      [PATCH v2,1/3]     [v2,01/03]        [net-next,v2,1/3]   [PATCH v2 (1/3)]
    [RFC PATCHv2 1/3]   [PATCH 1/3 v2]     [PATCH 1 of 3 V2] [PATCH 1 / 3, v2]   [v2][PATCH 1/3]
    [PATCH (take 2) 1/3]

No readable count is no count: ``[PATCH v2]``, ``[PATCH 1/n]`` and ``[PATCH 4/3]`` are patches of no
known place, not 1 of 1.
"""

from __future__ import annotations

import re

from msgspec import Struct

from series.model import Numbering

_PREFIX = re.compile(
    rb"\s*(?:(?:(?:re|aw|sv|antw|fwd?|wg)\s*(?:\[\d+\])?|bug\s*#\d+)\s*:\s*)+", re.IGNORECASE
)
_REPLY = re.compile(rb"\s*(?:re|aw|sv|antw)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_TAG = re.compile(rb"\s*\[([^\[\]]{0,200})\]")
_MOST_TAGS = 100
"""Read of one subject; no person writes more than a few."""
_COUNT = re.compile(rb"(?<![\w./])(\d{1,6})\s*(?:/|\bof\b)\s*(\d{1,6})(?![\w./])", re.IGNORECASE)
_VERSION = re.compile(
    rb"(?:(?<![a-z0-9.])|(?<=patch)|(?<=patches)|(?<=rfc))v(?:er(?:sion)?)?\.?\s?(\d{1,3})(?:\.\d)?(?![\w.])"
    rb"|\b(?:take|try|round|version)\s*\#?(\d{1,3})\b|(?<!\w)\#(\d{1,3})\b",
    re.IGNORECASE,
)
_BRANCH = re.compile(
    rb"(?<![\w./])(?:[a-z-]*-)?v?\d{1,3}\.\d{1,3}(?:\.(?:\d{1,4}|y))?(?:-stable)?(?![\w./])", re.I
)
_MINOR = re.compile(rb"v\d{1,2}\.\d\Z", re.I)
"""``v2.1`` is a version of a series, ``v6.12`` and ``4.10`` are branches."""
_RESEND = re.compile(rb"\b(?:resend|resent|repost|reposted)\b", re.IGNORECASE)
_PATCH = re.compile(rb"patch|rfc", re.IGNORECASE)


class Tags(Struct, frozen=True):
    """What stands in brackets before a subject.

    ``number`` and ``total`` are None where no count can be read; ``patch`` is True where the tags
    claim a patch (PATCH, RFC or a count).
    """

    number: int | None = None
    total: int | None = None
    version: int = 1
    resend: bool = False
    patch: bool = False
    reply: bool = False
    branch: bytes = b""
    """The branches that it names, such as 4.10 or v6.1: postings for several are several series."""

    @property
    def numbering(self) -> Numbering | None:
        """The place in the series, where one is counted."""
        if self.number is None or self.total is None:
            return None
        return Numbering(self.number, self.total, self.version)


def parse_tags(subject: bytes) -> Tags:
    """Read the tags of ``subject``, in one pass over its brackets."""
    at = 0
    inner: list[bytes] = []
    if match := _PREFIX.match(subject):
        at = match.end()
    while len(inner) < _MOST_TAGS and (match := _TAG.match(subject, at)):
        inner.append(match[1])
        at = match.end()
        if match := _PREFIX.match(subject, at):
            at = match.end()
    number = total = version = None
    resend = patch = False
    branches: list[bytes] = []
    for text in inner:
        named = [found[0] for found in _BRANCH.finditer(text)]
        branches += [name.lower() for name in named if not _MINOR.match(name)]
        if number is None and (counted := _COUNT.search(text)):
            number, total = int(counted[1]), int(counted[2])
        if version is None and (found := _VERSION.search(text)):
            version = int(found[1] or found[2] or found[3])
        resend = resend or bool(_RESEND.search(text))
        patch = patch or bool(_PATCH.search(text))
    if number is not None and total is not None and (number > total or not total):
        number = total = None
        patch = True
    return Tags(
        number=number,
        total=total,
        version=version or 1,
        resend=resend,
        patch=patch or number is not None,
        reply=_REPLY.match(subject) is not None,
        branch=b" ".join(sorted(branches)),
    )
