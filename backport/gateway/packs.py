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
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Literal

from msgspec import Struct

from backport.store.files import write_atomic
from series.model import Oid
from series.placement.stated import Edit

Kind = Literal["commit", "tree", "blob", "tag"]

_TYPES: dict[Kind, int] = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_OFS_DELTA = 6
_LEVEL = zlib.Z_BEST_SPEED
"""As git writes loose objects (core.looseCompression); git's gc packs them tighter later."""
_TREE_LEVEL = zlib.Z_NO_COMPRESSION
"""Most of a tree is ids, which nothing shortens: a fifth less, for three times the time that as many
bytes of source code take."""
_MOST_THREADS = 4
_DEPTH = 50
"""Of a chain of deltas: git's own (pack.depth)."""
_SMALL = 64
"""Content so short gains nothing as a delta."""
_MOST_COPIED = 0xFFFFFF
_MOST_INSERTED = 0x7F
_FAR = 1 << 31
"""Offsets from here on stand in the index's second table."""


class Fresh(Struct, frozen=True):
    """A new object: its content, and another one that it was made from, if any.

    ``edits`` made it of that; none where they are not known.
    """

    kind: Kind
    raw: bytes
    base: Oid | None = None
    edits: tuple[Edit, ...] = ()


def write_pack(folder: Path, objects: Sequence[tuple[Oid, Stored]], kept: bytes = b"") -> Path:
    """Write ``objects`` as a pack into ``folder`` (``.git/objects/pack``); its path.

    A base must stand before what is made from it.  The name is a function of the
    content, so that a run that is repeated finds its pack there.  The pack is in place before its
    index: until the index is there, nobody sees it.  ``kept`` is written beside it, so that no gc takes the
    pack before a ref holds what is in it.
    """
    places: list[tuple[Oid, int, int]] = []
    # In its parts to the end: a pack of 3,000 patches, put together and copied, is 40 MB.
    chunks: list[bytes] = [b"PACK" + struct.pack(">II", 2, len(objects))]
    at = len(chunks[0])
    where: dict[Oid, int] = {}
    contents = _all_deflated([one for _, one in objects])
    for (oid, one), data in zip(objects, contents, strict=True):
        if one.base is None:
            head = _header(_TYPES[one.kind], one.raw_size)
        else:
            head = _header(_OFS_DELTA, len(one.data)) + _distance(at - where[one.base])
        where[oid] = at
        places.append((oid, at, zlib.crc32(data, zlib.crc32(head))))
        chunks += (head, data)
        at += len(head) + len(data)
    digest = hashlib.sha1()
    for chunk in chunks:
        digest.update(chunk)
    checksum = digest.digest()
    chunks.append(checksum)
    path = folder / f"pack-{checksum.hex()}.pack"
    index = path.with_suffix(".idx")
    mark = path.with_suffix(".keep")
    if kept and not mark.exists():
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_bytes(kept)
    if path.exists() and index.exists():
        os.utime(path)  # what is in use is not pruned
        return path
    for file, parts in ((path, chunks), (index, [_index(sorted(places), checksum)])):
        # git's gc takes files of that name away when a kill has left them.
        write_atomic(file, *parts, temporary="tmp_{name}.{pid}", mode=0o444)
    return path


class Stored(Struct, frozen=True):
    """An object as it stands in the pack: itself, or a delta to ``base``."""

    kind: Kind
    data: bytes
    """Empty where ``deflated`` is the object itself."""
    raw_size: int
    base: Oid | None = None
    depth: int = 0
    deflated: bytes | None = None

    @property
    def held(self) -> int:
        """Bytes that it takes in memory."""
        return len(self.data) + len(self.deflated or b"")


def stored(fresh: Fresh, base: tuple[Kind, bytes, int] | None) -> Stored:
    """The shorter form; ``base`` is kind, content and depth of what it was made from."""
    size = len(fresh.raw)
    if base is not None and size > _SMALL:
        kind, raw, depth = base
        if kind == fresh.kind and depth < _DEPTH:
            delta = make_delta(raw, fresh.raw, fresh.edits)
            if 2 * len(delta) < size:
                return Stored(fresh.kind, delta, size, fresh.base, depth + 1)
    return Stored(fresh.kind, fresh.raw, size)


def _all_deflated(chosen: Sequence[Stored]) -> list[bytes]:
    """The data of each deflated, by all processors: zlib lets go of the interpreter."""
    found: dict[int, bytes] = {}
    largest_first = iter(sorted(range(len(chosen)), key=lambda index: -len(chosen[index].data)))

    def work() -> None:
        for index in largest_first:
            found[index] = deflated(chosen[index])

    helpers = [Thread(target=work) for _ in range(min(os.cpu_count() or 1, _MOST_THREADS) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    return [found[index] for index in range(len(chosen))]


def deflated(one: Stored) -> bytes:
    """The object, or its delta, as the pack holds it."""
    if one.deflated is not None:
        return one.deflated
    return zlib.compress(one.data, _TREE_LEVEL if one.kind == "tree" else _LEVEL)


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


def make_delta(old: bytes, new: bytes, edits: Sequence[Edit] = ()) -> bytes:
    """``new`` as what the edits leave of ``old`` and what they bring; linear in the two sizes.

    Where the edits are not known, ``new`` as one of them: it costs little where a small part differs,
    as of a tree with one new entry.
    """
    out = [_size(len(old)), _size(len(new))]
    at = 0
    for edit in edits or (Edit(0, len(old), new),):
        end = edit.at + edit.size
        head, tail = _alike(old[edit.at : end], edit.text)
        out += _copies(at, edit.at + head - at)
        out += _inserts(edit.text[head : len(edit.text) - tail])
        at = end - tail
    out += _copies(at, len(old) - at)
    return b"".join(out)


def _alike(one: bytes, other: bytes) -> tuple[int, int]:
    """Lengths of what both begin with, and of what both end with behind that."""
    most = min(len(one), len(other))
    head = _longest(most, lambda size: one[:size] == other[:size])
    end, its_end = len(one), len(other)
    tail = _longest(most - head, lambda size: one[end - size :] == other[its_end - size :])
    return head, tail


def _longest(most: int, fits: Callable[[int], bool]) -> int:
    """The greatest size up to ``most`` that fits, where all smaller ones fit as well."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def _inserts(data: bytes) -> list[bytes]:
    parts = (data[at : at + _MOST_INSERTED] for at in range(0, len(data), _MOST_INSERTED))
    return [bytes((len(part),)) + part for part in parts]


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
