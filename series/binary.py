# SPDX-License-Identifier: GPL-2.0-or-later
"""The body of a ``GIT binary patch``: base85 lines, zlib, and git's delta format.

Sizes come from a stranger, so each is checked against what the bytes at hand can yield before
anything is allocated.  Formats: git's ``base85.c``, ``patch-delta.c``.
"""

from __future__ import annotations

import base64
import zlib

MAX_SIZE = 256 << 20
"""Largest content, in bytes, that a binary patch may make; git's own default for big files is 512 MiB."""


def decode_line(line: bytes) -> bytes:
    """Decode one base85 line: a length letter, then five characters for each four bytes."""
    length = line[0]
    if 0x41 <= length <= 0x5A:
        size = length - 0x40
    elif 0x61 <= length <= 0x7A:
        size = length - 0x60 + 26
    else:
        raise ValueError("its length letter is not valid")
    text = line[1:]
    if len(text) != (size + 3) // 4 * 5:
        raise ValueError(f"{len(text)} characters where {size} bytes need {(size + 3) // 4 * 5}")
    return base64.b85decode(text)[:size]


def inflate(packed: bytes, size: int) -> bytes:
    """Inflate to exactly ``size`` bytes; ValueError for any other outcome."""
    if size > MAX_SIZE:
        raise ValueError(f"it claims {size} bytes, the limit is {MAX_SIZE}")
    # deflate cannot do better than 1032:1 (zlib's technical notes)
    if size > 1032 * len(packed) + 64:
        raise ValueError(f"it claims {size} bytes, which {len(packed)} packed ones cannot hold")
    machine = zlib.decompressobj()
    try:
        data = machine.decompress(packed, size + 1)
    except zlib.error as exc:
        raise ValueError(f"it does not inflate ({exc})") from exc
    if len(data) != size or not machine.eof:
        raise ValueError(f"it inflates to another size than the {size} bytes it claims")
    return data


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Apply a git pack delta; ValueError when it is damaged or made for another base."""
    source, at = _varint(delta, 0)
    target, at = _varint(delta, at)
    if source != len(base):
        raise ValueError(f"it was made for {source} bytes, here are {len(base)}")
    if target > MAX_SIZE:
        raise ValueError(f"it claims {target} bytes, the limit is {MAX_SIZE}")
    out = bytearray()
    while at < len(delta):
        op = delta[at]
        at += 1
        if op & 0x80:
            offset = size = 0
            for bit in range(7):
                if op & (1 << bit):
                    if at >= len(delta):
                        raise ValueError("a copy instruction is cut short")
                    if bit < 4:
                        offset |= delta[at] << (8 * bit)
                    else:
                        size |= delta[at] << (8 * (bit - 4))
                    at += 1
            size = size or 0x10000
            if offset + size > len(base):
                raise ValueError("a copy instruction reaches past the end of its base")
            out += base[offset : offset + size]
        elif op:
            if at + op > len(delta):
                raise ValueError("an insert instruction is cut short")
            out += delta[at : at + op]
            at += op
        else:
            raise ValueError("instruction 0 is reserved")
        if len(out) > target:
            raise ValueError(f"it makes more than the {target} bytes it claims")
    if len(out) != target:
        raise ValueError(f"it makes {len(out)} bytes, not the {target} it claims")
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("its header is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at
