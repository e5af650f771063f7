# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of the domain (public memory.h): its map, pages that L0 puts into it, pages given back."""

from __future__ import annotations

import struct

from emu import abi
from emu.l0.domain import EFAULT, EINVAL, ENOENT, ESRCH, Domain, Operation, Request
from emu.l0.shared import SharedInfo
from emu.spaces import LinearAddr

IN_PART = "L0 {}, in part,"
"""It is not refused, and L0 does less of it than it is asked for: "Returns the number of extents successfully
allocated or freed" (public memory.h, XENMEM_decrease_reservation and XENMEM_populate_physmap)."""
MAX_EXTENTS = 1 << 20
MAX_ORDER = 20


def _add_to_physmap(l0: Domain, request: Request) -> int:
    fields = request.fields
    limits = {
        abi.CONSTANTS["XENMAPSPACE_shared_info"]: 1,
        abi.CONSTANTS["XENMAPSPACE_grant_table"]: l0.setup.max_grant_frames,
    }
    if not l0.is_self(fields["domid"]):
        return -ESRCH
    if fields["idx"] >= limits.get(fields["space"], 0):
        return -EINVAL
    if l0.hardware is not None:
        page = l0.hardware.frame(fields["gpfn"])
        if page is None:
            return -EINVAL
        if fields["space"] == abi.CONSTANTS["XENMAPSPACE_shared_info"]:
            shared = SharedInfo(page)
            shared.begin(l0.hardware.now(), l0.setup.vcpus, l0.shared)
            l0.shared = shared
    l0.mapped[fields["gpfn"]] = fields["space"], fields["idx"]
    return 0


def _remove_from_physmap(l0: Domain, request: Request) -> int:
    return 0 if l0.mapped.pop(request.fields["gpfn"], None) is not None else -ENOENT


def _memory_map(l0: Domain, request: Request) -> int:
    """The caller's buffer holds as many entries as it says; it is told how many were filled."""
    entries = l0.setup.memory_map[: request.fields["nr_entries"]]
    content = b"".join(struct.pack("<QQI", *entry) for entry in entries)
    buffer = LinearAddr(request.fields["buffer"])
    if not request.memory.writable(buffer, content, request.access):
        return -EFAULT
    return l0.reply(request, nr_entries=len(entries))


def _extents(l0: Domain, request: Request) -> list[range] | int:
    """The frames of each extent, or the result where the request is none."""
    fields = request.fields
    count, order = fields["nr_extents"], fields["extent_order"]
    if count > MAX_EXTENTS or order > MAX_ORDER:
        return -EINVAL
    if not l0.is_self(fields["domid"]):
        return -ESRCH
    raw = l0.read(request, LinearAddr(fields["extent_start"]), 8 * count) if count else b""
    if raw is None:
        return 0
    half = l0.setup.gives_back_half and request.op == "XENMEM_decrease_reservation"
    if l0.interactions.fails(IN_PART.format(request.op)) or half:
        raw = raw[: count // 2 * 8]
    return [range(frame, frame + (1 << order)) for (frame,) in struct.iter_unpack("<Q", raw)]


def _decrease_reservation(l0: Domain, request: Request) -> int:
    """Answers with the number of extents done: up to the first that the domain does not have."""
    extents = _extents(l0, request)
    if isinstance(extents, int):
        return extents
    for done, frames in enumerate(extents):
        if not l0.given_back.isdisjoint(frames):
            return done
        l0.given_back.update(frames)
    return len(extents)


def _populate_physmap(l0: Domain, request: Request) -> int:
    """Likewise: up to the first that has memory already, or more than was given back."""
    extents = _extents(l0, request)
    if isinstance(extents, int):
        return extents
    for done, frames in enumerate(extents):
        if l0.hardware is not None and not l0.given_back.issuperset(frames):
            return done
        l0.given_back.difference_update(frames)
    return len(extents)


OPERATIONS = {
    "XENMEM_add_to_physmap": Operation(_add_to_physmap),
    "XENMEM_memory_map": Operation(_memory_map, fallible=False),
    "XENMEM_remove_from_physmap": Operation(_remove_from_physmap),
    "XENMEM_populate_physmap": Operation(_populate_physmap),
    "XENMEM_decrease_reservation": Operation(_decrease_reservation),
}
