# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios that need an earlier call of the guest run booted as well: the real code keeps what it got."""

from __future__ import annotations

import pytest

from emu.booted.emulate import emulate_image
from emu.booted.selection import cases
from emu.findings.boot_report import Treatment
from emu.findings.verdict import Outcome
from emu.profile import load_profile, parse_profile
from tests.emu import mini
from tests.emu.booted.test_boot_wrong import RETURN_0, boot
from tests.emu.images import sample_image

PROFILE = load_profile("xen-pv-shim-4.10")
FAR = ("status of a far port", "close a far port", "bind_vcpu of a far port")
OF_AN_IPI = ("status of an ipi", "close an ipi", "bind_vcpu of an ipi")


def test_which_they_are() -> None:
    """Those that stand on calls of the guest; not those that stand on the core's own structures."""
    from emu.abi import Mode

    found = [case.scenario for case in cases(PROFILE, Mode.NATIVE)]
    assert {scenario.name for scenario in found if scenario.before} == {
        *FAR,
        *OF_AN_IPI,
        "unmask of a port that is used again",
    }
    assert not any(scenario.state or scenario.data for scenario in found)


@pytest.mark.parametrize("mode", ["64", "compat"])
@pytest.mark.parametrize("name", FAR)
def test_the_sample_keeps_a_far_port(name: str, mode: str) -> None:
    report = emulate_image(sample_image(), PROFILE, only=f"{name}/{mode}")
    (row,) = report.behaviour
    assert (report.outcome, row.treatment) == (Outcome.PASSED, Treatment.FORWARDED)
    assert [call.op for call in row.l0_calls if call.op == row.operation]


def test_a_port_that_is_handed_out_and_not_kept() -> None:
    report = boot(RETURN_0, "close a far port/64", symbol="evtchn_allocate_port")
    (finding,) = report.findings
    assert report.outcome is Outcome.FAILED
    assert finding.message.startswith("an earlier call of the guest does not return: ")


def test_an_earlier_call_that_does_not_go_well() -> None:
    text = mini.profile_text().replace(
        '["alloc_unbound far port"]', '["alloc_unbound refused by L0"]'
    )
    profile = parse_profile(text.encode(), "test")
    (row,) = emulate_image(sample_image(), profile, only="close a far port/64").behaviour
    assert row.treatment is Treatment.UNREACHED
    assert row.note == "alloc_unbound refused by L0 before it: -ESRCH"
