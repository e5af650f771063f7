# SPDX-License-Identifier: GPL-2.0-or-later
"""How text is wrapped in a mail: its charset, and the encoding it travelled in."""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re

# Codecs of Python's that no mail means.
_NO_CHARSETS = frozenset(
    {"unicode_escape", "raw-unicode-escape", "unicode-escape", "raw_unicode_escape", "idna"}
    | {"punycode", "undefined", "mbcs", "oem"}
)


def as_utf8(raw: bytes) -> bytes:
    """Text that declares no charset, as git takes it: UTF-8 where it is that, else Latin-1."""
    if raw.isascii():
        return raw
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1").encode()
    return raw


def to_utf8(raw: bytes, charset: bytes) -> bytes | None:
    """Recode; None when the charset is unknown or the bytes are not of it."""
    name = charset.strip().decode("ascii", "replace")
    if not name or name.lower() in ("utf-8", "utf8"):
        return raw
    try:
        codec = codecs.lookup(name)
        if codec.name in _NO_CHARSETS:
            return None
        text = raw.decode(codec.name)
    except (LookupError, UnicodeDecodeError, ValueError):
        return None
    return text.encode("utf-8", "surrogatepass")


def decode_base64(data: bytes) -> bytes:
    """Decode, ignoring what is not of the alphabet and a last group that is cut short."""
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return b""


def transferred(encoding: bytes, body: bytes) -> bytes:
    """The bytes of a part as they were before they were sent."""
    name = encoding.split(b";")[0].strip().lower()
    if name == b"base64":
        return decode_base64(body)
    return quopri.decodestring(body) if name == b"quoted-printable" else body
