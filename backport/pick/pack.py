# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects as one pack with its index, as git stores a fetch of a hundred objects and more.

A series leaves some three new objects a path: a blob and the trees above it.  Written one by one they
took three quarters of the engine's time (libgit2 and git alike: a deflate, a temporary file and a
rename each); in one pack, with what is made of another new object stored as the difference to it, the
same series takes a fifth of that and half of the disk.

Formats: gitformat-pack(5), pack version 2, index version 2.  What is written here is what
``git index-pack`` makes of the same pack, byte for byte (a test compares them).
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backport.files import write_atomic
from series.model import Oid

Kind = Literal["commit", "tree", "blob"]

_TYPES: dict[Kind, int] = {"commit": 1, "tree": 2, "blob": 3}
_OFS_DELTA = 6
_LEVEL = zlib.Z_BEST_SPEED
"""As git writes loose objects (core.looseCompression); git's gc packs them tighter later."""
_SHORT_BITS = 12
_SHORT = 1 << _SHORT_BITS
"""Bytes that a window of that many bits covers whole."""
_MOST_SHARES = 4
_DEPTH = 50
"""Of a chain of deltas: git's own (pack.depth)."""
_SMALL = 64
"""Content so short gains nothing as a delta."""
_MOST_COPIED = 0xFFFFFF
_MOST_INSERTED = 0x7F
_FAR = 1 << 31
"""Offsets from here on stand in the index's second table."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new object: its content, and another one that it was made from, if any."""

    kind: Kind
    raw: bytes
    base: Oid | None = None


def write_pack(folder: Path, objects: Sequence[tuple[Oid, Fresh]]) -> Path:
    """Write ``objects`` as a pack into ``folder`` (``.git/objects/pack``); its path.

    A base must stand before what is made from it, or it does not count.  The name is a function of the
    content, so that a run that is repeated finds its pack there.  The pack is in place before its
    index: until the index is there, nobody sees it.
    """
    places: list[tuple[Oid, int, int]] = []
    chunks: list[bytes] = [b"PACK" + struct.pack(">II", 2, len(objects))]
    at = len(chunks[0])
    where: dict[Oid, int] = {}
    chosen = list(_chosen(objects))
    for (oid, stored), deflated in zip(
        chosen, _all_deflated([s.data for _, s in chosen]), strict=True
    ):
        entry = _header(stored.type, len(stored.data))
        if stored.base is not None:
            entry += _distance(at - where[stored.base])
        entry += deflated
        where[oid] = at
        places.append((oid, at, zlib.crc32(entry)))
        chunks.append(entry)
        at += len(entry)
    body = b"".join(chunks)
    checksum = hashlib.sha1(body).digest()
    path = folder / f"pack-{checksum.hex()}.pack"
    index = path.with_suffix(".idx")
    if path.exists() and index.exists():
        os.utime(path)  # what is in use is not pruned
        return path
    for file, data in ((path, body + checksum), (index, _index(sorted(places), checksum))):
        # git's gc takes files of that name away when a kill has left them.
        write_atomic(file, data, temporary="tmp_{name}.{pid}", mode=0o444)
    return path


@dataclass(frozen=True, slots=True)
class _Stored:
    """An object as it stands in the pack: itself, or a delta to ``base``."""

    type: int
    data: bytes
    base: Oid | None = None
    depth: int = 0


def _chosen(objects: Sequence[tuple[Oid, Fresh]]) -> Iterator[tuple[Oid, _Stored]]:
    laid: dict[Oid, tuple[Fresh, int]] = {}
    for oid, fresh in objects:
        stored = _stored(fresh, laid.get(fresh.base) if fresh.base is not None else None)
        laid[oid] = fresh, stored.depth
        yield oid, stored


def _stored(fresh: Fresh, base: tuple[Fresh, int] | None) -> _Stored:
    if base is not None and len(fresh.raw) > _SMALL:
        of, depth = base
        if of.kind == fresh.kind and depth < _DEPTH:
            delta = make_delta(of.raw, fresh.raw)
            if 2 * len(delta) < len(fresh.raw):
                return _Stored(_OFS_DELTA, delta, fresh.base, depth + 1)
    return _Stored(_TYPES[fresh.kind], fresh.raw)


def _all_deflated(datas: Sequence[bytes]) -> list[bytes]:
    """Each deflated, by all processors: zlib lets go of the interpreter.

    In a few large shares, for handing out each object by itself costs what it gains.
    """
    from concurrent.futures import ThreadPoolExecutor

    shares = min(os.cpu_count() or 1, _MOST_SHARES)
    by_size = sorted(range(len(datas)), key=lambda index: len(datas[index]))
    found: dict[int, bytes] = {}

    def work(share: int) -> list[tuple[int, bytes]]:
        return [(index, _deflated(datas[index])) for index in by_size[share::shares]]

    with ThreadPoolExecutor(shares) as pool:
        for done in pool.map(work, range(shares)):
            found.update(done)
    return [found[index] for index in range(len(datas))]


def _deflated(data: bytes) -> bytes:
    if len(data) > _SHORT:
        return zlib.compress(data, _LEVEL)
    # Most objects are deltas of some twenty bytes, and zlib's full window takes 50 µs to set up.
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _SHORT_BITS, 1)
    return compressor.compress(data) + compressor.flush()


def _header(kind: int, size: int) -> bytes:
    out = bytearray()
    byte, size = kind << 4 | size & 15, size >> 4
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def _distance(back: int) -> bytes:
    """How far back a delta's base begins, in the pack's own encoding."""
    out = [back & 0x7F]
    while back := back >> 7:
        back -= 1
        out.append(back & 0x7F | 0x80)
    return bytes(reversed(out))


def make_delta(old: bytes, new: bytes) -> bytes:
    """``new`` as what is left of ``old`` before and behind one change; linear in the two sizes.

    Patches change one place of a file more often than not, and one entry of a tree.
    """
    head = _common(old, new)
    tail = _common_tail(old[head:], new[head:])
    middle = new[head : len(new) - tail]
    out = [_size(len(old)), _size(len(new)), *_copies(0, head)]
    out += [
        bytes((len(part),)) + part
        for part in (middle[n : n + _MOST_INSERTED] for n in range(0, len(middle), _MOST_INSERTED))
    ]
    out += _copies(len(old) - tail, tail)
    return b"".join(out)


def _common(one: bytes, other: bytes) -> int:
    """Length of what both begin with."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _common_tail(one: bytes, other: bytes) -> int:
    return _common(one[::-1], other[::-1])


def _copies(at: int, size: int) -> list[bytes]:
    out: list[bytes] = []
    while size > 0:
        part = min(size, _MOST_COPIED)
        flags, operands = 0x80, bytearray()
        for bit, byte in enumerate((*at.to_bytes(4, "little"), *part.to_bytes(3, "little"))):
            if byte:
                flags |= 1 << bit
                operands.append(byte)
        out.append(bytes((flags,)) + operands)
        at, size = at + part, size - part
    return out


def _size(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _index(places: Sequence[tuple[Oid, int, int]], checksum: bytes) -> bytes:
    """The index of a pack; ``places`` sorted by id: (id, offset, crc32 of the entry)."""
    ids = [bytes.fromhex(oid) for oid, _, _ in places]
    counts = [0] * 256
    for name in ids:
        counts[name[0]] += 1
    fanout = [sum(counts[: n + 1]) for n in range(256)]
    offsets: list[int] = []
    far: list[int] = []
    for _, at, _ in places:
        if at < _FAR:
            offsets.append(at)
        else:
            offsets.append(_FAR | len(far))
            far.append(at)
    many = len(places)
    body = b"\xfftOc" + struct.pack(">I", 2) + struct.pack(">256I", *fanout) + b"".join(ids)
    body += struct.pack(f">{many}I", *(crc for _, _, crc in places))
    body += struct.pack(f">{many}I{len(far)}Q", *offsets, *far) + checksum
    return body + hashlib.sha1(body).digest()
