# SPDX-License-Identifier: GPL-2.0-or-later
"""Who binds an IPI knows all that EVTCHNOP_status says of it (public event_channel.h) without asking L0."""

from __future__ import annotations

import pytest

from emu.findings.verdict import Outcome
from emu.object import emulate_object
from tests.emu import mini
from tests.emu.build import compile_source

REFUSED = "    default:\n        return -EOPNOTSUPP;\n    }\n}\n\nstatic spinlock_t grant_lock;"
BIND = """    case 7: {
        struct { u32 vcpu, port; } op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        rc = event_op(7, &op);
        if ( rc )
            return rc;
        _spin_lock(&d->event_lock);
        rc = evtchn_allocate_port(d, op.port);
        if ( !rc )
        {
            channel(d, op.port)->state = STATE;
            channel(d, op.port)->notify_vcpu_id = op.vcpu;
        }
        _spin_unlock(&d->event_lock);
        if ( rc )
            return give_back(op.port, rc);
        return __copy_to_user_ll(arg, &op, sizeof(op)) ? -EFAULT : 0;
    }
"""
STATUS = "rc = handled(d, op.port) ?"
OWN = "rc = op.port < d->valid_evtchns && channel(d, op.port)->state >= 5 ?"
IPI, VIRQ, RESERVED = "6", "5", "ECS_RESERVED"


@pytest.mark.parametrize(
    ("state", "asked", "wrong"),
    [
        (RESERVED, STATUS, set()),
        (IPI, STATUS, set()),
        (IPI, OWN, set()),
        (VIRQ, OWN, {"the guest sees status = 4, not 5"}),
    ],
)
def test_the_status_of_an_ipi(state: str, asked: str, wrong: set[str]) -> None:
    bind = BIND.replace("STATE", state) + REFUSED
    core = compile_source(mini.source((REFUSED, bind), (STATUS, asked)))
    for name in ("bind_ipi", "status of an ipi"):
        report = emulate_object(core, mini.profile(), depth="scenarios", only=name)
        found = {finding.message for finding in report.findings}
        assert found == (wrong if name != "bind_ipi" else set())
        assert all(result.outcome is not Outcome.ABSENT for result in report.results)


def test_a_core_that_binds_none_yet_is_not_wrong() -> None:
    report = mini.report(only="status of an ipi")
    assert report.outcome is Outcome.ABSENT
    assert report.results[0].note == "EVTCHNOP_bind_ipi before it is refused with -EOPNOTSUPP"
