# SPDX-License-Identifier: GPL-2.0-or-later
"""A port that is used again is told of events: who has masked it in L0's page has to unmask it there.

Public event_channel.h, EVTCHNOP_unmask.  A core may hand the guest's unmask on, or have L0 unmask a port
when it opens it and keep the guest's mask itself; it may not do neither.
"""

from __future__ import annotations

import pytest

from emu.findings.verdict import Outcome
from tests.emu import mini

AGAIN = "unmask of a port that is used again"
DEFAULT = "    default:\n        return -EOPNOTSUPP;\n    }\n}\n\nstatic spinlock_t"
LOCAL = "    case 9:\n        return 0;\n"
FORWARDED = """    case 9: {
        struct evtchn_close op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        return event_op(9, &op);
    }
"""
OPENED = "            channel(d, op.port)->state = ECS_RESERVED;\n"
AT_ONCE = f"{OPENED[:-2]}, event_op(9, &(struct evtchn_close){{ op.port }});\n"
EARLY = "event_op(9, &(struct evtchn_close){ op.port }), "
TOO_EARLY = OPENED.replace("channel(", EARLY + "channel(")
STAYS = "port 12 is unmasked by the guest, and stays masked in L0's page"


@pytest.mark.parametrize(
    ("unmask", "opened", "said"),
    [
        (FORWARDED, OPENED, set()),
        (LOCAL, AT_ONCE, set()),
        (LOCAL, OPENED, {STAYS}),
    ],
)
def test_who_unmasks(unmask: str, opened: str, said: set[str]) -> None:
    changes = (DEFAULT, unmask + DEFAULT), (OPENED, opened)
    report = mini.report(*changes, only=AGAIN)
    assert {finding.message for finding in mini.findings(report, "shared page")} == said


@pytest.mark.parametrize(
    ("opened", "said"),
    [
        (AT_ONCE, set()),
        (
            TOO_EARLY,
            {"port 12 is unmasked in L0 while it is free in the core: an event that waits is lost"},
        ),
    ],
)
def test_an_event_that_waits_finds_its_port_in_use(opened: str, said: set[str]) -> None:
    report = mini.report((OPENED, opened), only="alloc_unbound")
    assert {finding.message for finding in mini.findings(report, "ports agree")} == said


def test_what_the_guest_unmasks_is_its_own_affair() -> None:
    """A core that hands on all that its guest says."""
    changes = (DEFAULT, FORWARDED + DEFAULT), (OPENED, "            (void)d;\n")
    assert not [
        f for f in mini.report(*changes, only=AGAIN).findings if "while it is free" in f.message
    ]


def test_who_masks_nothing_has_nothing_to_unmask() -> None:
    masks = "        shared->evtchn_mask[op.port / 64] |= 1ul << op.port % 64;\n"
    report = mini.report((DEFAULT, LOCAL + DEFAULT), (masks, ""), only=AGAIN)
    assert report.outcome is Outcome.PASSED
