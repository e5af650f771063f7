# SPDX-License-Identifier: GPL-2.0-or-later
"""Grant tables of L0 (public grant_table.h), as far as an HVM-like domain uses them: sizes only,
since its frames are mapped with XENMEM_add_to_physmap."""

from __future__ import annotations

from emu import abi
from emu.l0.domain import EINVAL, Domain, Operation, Request

STATUS = "L0 GNTTABOP_query_size, by its status,"
"""The call is in order, and what it asks for is refused (public grant_table.h, enum grant_status)."""


def _query_size(l0: Domain, request: Request) -> int:
    if request.arguments[2] & 0xFFFFFFFF != 1:
        return -EINVAL  # the model answers one element at a time
    if not l0.is_self(request.fields["dom"]) or l0.interactions.fails(STATUS):
        return l0.reply(request, status=abi.CONSTANTS["GNTST_general_error"])
    return l0.reply(
        request,
        nr_frames=l0.setup.nr_grant_frames,
        max_nr_frames=l0.setup.max_grant_frames,
        status=abi.CONSTANTS["GNTST_okay"],
    )


OPERATIONS = {"GNTTABOP_query_size": Operation(_query_size)}
