# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that a core lets its guest use are those that it has taken for it."""

from __future__ import annotations

import pytest

from tests.emu import mini

ENTRY = "long pv_shim_event_channel_op("
DECLARED = ENTRY, f"int rangeset_add_range(void *r, u64 first, u64 last);\n\n{ENTRY}"
MAPS = "    rc = memory_op(7, &xatp);\n"


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ("xatp.gpfn, xatp.gpfn", []),
        ("(u16)xatp.gpfn, (u16)xatp.gpfn", ["0x2340 to 0x2340", "0x2341 to 0x2341"]),
        ("xatp.gpfn, xatp.gpfn + 1", ["0x12340 to 0x12341", "0x12341 to 0x12342"]),
        ("xatp.gpfn, ~0ul", ["0x12340 to 0xffffffffffffffff", "0x12341 to 0xffffffffffffffff"]),
    ],
)
def test_the_range_is_the_frame(frames: str, said: list[str]) -> None:
    lets = MAPS, f"    rangeset_add_range((void *)8, {frames});\n{MAPS}"
    found = mini.findings(mini.report(DECLARED, lets, only="setup_table/64"), "resources")
    assert [f.message for f in found] == [
        f"the guest may use frames {these}, which are not those that it was given" for these in said
    ]
