# SPDX-License-Identifier: GPL-2.0-or-later
"""A file's bytes as the text of a patch: decompressed, and out of UTF-16.

What cannot be read here is refused by name; it is never taken for a file without a patch.
"""

from __future__ import annotations

import codecs
import re
from typing import IO, cast

from series.errors import SeriesError

_MOST_BYTES = 256 << 20
"""Of decompressed text: no posted series comes near."""
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
_UNREADABLE = (
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x9d", "compressed by compress"),
    (b"LZIP", "compressed by lzip"),
    (b"\x04\x22\x4d\x18", "compressed by lz4"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COLOURED = re.compile(rb"^(?:\x1b\[[0-9;]*m)+(?:diff --git |--- |@@ -)", re.MULTILINE)
"""Colours at the beginning of a line: what a patch adds has its ``+`` there."""


class FileError(SeriesError):
    """A file that was named and cannot be read as patches: which, why, what to do."""

    def __init__(self, name: str, what: str, advice: str) -> None:
        self.name, self.what, self.advice = name, what, advice
        super().__init__(f"{name}: {what}; {advice}")


def decode(data: bytes, name: str) -> bytes:
    """The text of a patch file: decompressed (gzip, bzip2, xz), UTF-16 as UTF-8, no byte order mark.

    Raises FileError for anything else that is no text, and for damaged or oversized data.
    """
    data = _inflated(data, name)
    if data[257:262] == b"ustar":
        raise FileError(name, "is a tar archive", "unpack it, and name the folder")
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _recoded(data, codec, name)
    if data[:64].count(b"\0") * 3 >= len(data[:64]) > 3:
        # UTF-16 without its mark: every other byte of a diff's text is zero.
        return _recoded(data, "utf-16-be" if data[:1] == b"\0" else "utf-16-le", name)
    if b"\x1b[" in data and _COLOURED.search(data):
        raise FileError(
            name, "has diffs in the colours of a terminal", "have them written with --color=never"
        )
    return data.removeprefix(codecs.BOM_UTF8)


def _recoded(data: bytes, codec: str, name: str) -> bytes:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        raise FileError(
            name, f"looks like {codec.upper()} and is damaged: {error.reason}", "save it as UTF-8"
        ) from error
    # An editor that writes UTF-16 writes CR LF as well: neither is the patch's.
    whole = text.count("\n") == text.count("\r\n")
    return (text.replace("\r\n", "\n") if whole else text).encode("utf-8", "surrogatepass")


def _inflated(data: bytes, name: str) -> bytes:
    for mark, what in _UNREADABLE:
        if data.startswith(mark):
            raise FileError(name, f"is {what}", "unpack it first")
    return _unpacked(data, name) if data.startswith(_PACKED) else data


def _unpacked(data: bytes, name: str) -> bytes:
    # Loaded here: most patches are not packed.
    import bz2
    import gzip
    import io
    import lzma
    import zlib

    source = io.BytesIO(data)
    try:
        if data.startswith(b"BZh"):
            return _bounded(cast(IO[bytes], bz2.BZ2File(source)), name)
        if data.startswith(b"\xfd7zXZ\0"):
            return _bounded(cast(IO[bytes], lzma.LZMAFile(source)), name)
        return _bounded(cast(IO[bytes], gzip.GzipFile(fileobj=source)), name)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise FileError(name, f"damaged compressed data: {error}", "fetch it again") from error


def _bounded(file: IO[bytes], name: str) -> bytes:
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise FileError(
            name, f"over {_MOST_BYTES >> 20} MiB when unpacked", "this is no patch series"
        )
    return data
