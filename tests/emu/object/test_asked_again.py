# SPDX-License-Identifier: GPL-2.0-or-later
"""What failed for want of something goes well when that is there (`emu.rules.failures.GoesWellAgain`)."""

from __future__ import annotations

import pytest

from tests.emu import mini

FLAG = "static int once;\n\nlong pv_shim_event_channel_op(", "long pv_shim_event_channel_op("
REFUSED = (
    "        rc = event_op(6, &op);\n        if ( rc )\n            return rc;\n",
    "        rc = once ? -16 : event_op(6, &op);\n        if ( rc )\n"
    "        {\n            once = 1;\n            return rc;\n        }\n",
)
"""One refusal of L0's, and it never asks again."""
KNOWN_TOO_EARLY = (
    "    grant_frames = _xzalloc(",
    "    nr_grant_list = size.max_nr_frames;\n    grant_frames = _xzalloc(",
)
"""A list that there was no memory for is taken for one."""


def messages(*changes: tuple[str, str], only: str) -> list[tuple[str, tuple[str, ...]]]:
    report = mini.report(*changes, depth="explore", only=only)
    return [(f.message, f.failures) for f in mini.findings(report, "asked again")]


def test_a_refusal_that_is_remembered() -> None:
    found = messages((FLAG[1], FLAG[0]), REFUSED, only="alloc_unbound/64")
    assert found == [
        (
            "asked again, when nothing fails, the result is -EBUSY (when L0 EVTCHNOP_alloc_unbound fails)",
            ("L0 EVTCHNOP_alloc_unbound",),
        )
    ]


def test_an_allocation_that_leaves_half_a_state() -> None:
    found = messages(KNOWN_TOO_EARLY, only="setup_table/64")
    assert found == [
        (
            "asked again, when nothing fails, it does not return: "
            "read of an address that is not mapped (0x0) (when xzalloc fails)",
            ("xzalloc",),
        )
    ]


def test_a_frame_that_is_taken_for_mapped() -> None:
    """What was noted before L0 was asked stays when L0 refuses: the guest is given a frame of nobody's."""
    early = (
        "    rc = memory_op(7, &xatp);\n",
        "    grant_frames[i] = xatp.gpfn;\n    rc = memory_op(7, &xatp);\n",
    )
    found = messages(early, only="setup_table/64")
    assert {message for message, _ in found} == {
        f"asked again, when nothing fails, grant frame {n} is not mapped in L0"
        " (when L0 XENMEM_add_to_physmap fails)"
        for n in range(2)
    }


def test_a_port_whose_number_is_not_told_anew() -> None:
    """Success, and the port of the first time: nobody has opened it since."""
    told = (
        "        rc = event_op(6, &op);\n        if ( rc )\n            return rc;\n",
        "        if ( once )\n            return 0;\n        rc = event_op(6, &op);\n"
        "        if ( rc )\n        {\n            once = 1;\n            return rc;\n        }\n",
    )
    found = messages((FLAG[1], FLAG[0]), told, only="alloc_unbound/64")
    assert [message for message, _ in found] == [
        "asked again, when nothing fails, the guest sees port untouched, not 12"
        " (when L0 EVTCHNOP_alloc_unbound fails)",
        "asked again, when nothing fails, port 12 is in state 0, and should be reserved"
        " (when L0 EVTCHNOP_alloc_unbound fails)",
    ]


@pytest.mark.parametrize("only", ["alloc_unbound", "setup_table", "close", "status"])
def test_one_that_forgets_what_failed(only: str) -> None:
    assert messages(only=only) == []


def test_the_guests_own_bad_memory_promises_nothing() -> None:
    """A port may be bound although its number could not be handed over."""
    kept = (
        "            _spin_lock(&d->event_lock);\n            evtchn_free(d, channel(d, op.port));\n"
        "            _spin_unlock(&d->event_lock);\n            return give_back(op.port, -EFAULT);\n",
        "            once = 1;\n            return -EFAULT;\n",
    )
    refuse = ("        rc = event_op(6, &op);\n", "        rc = once ? -17 : event_op(6, &op);\n")
    assert messages((FLAG[1], FLAG[0]), kept, refuse, only="alloc_unbound/64") == []
