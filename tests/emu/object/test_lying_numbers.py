# SPDX-License-Identifier: GPL-2.0-or-later
"""A probe whose constants are another tree's: macros are in no debug information, so the core has to tell."""

from __future__ import annotations

import pytest

from emu.findings.verdict import ObjectReport, Outcome
from emu.object import emulate_object
from emu.profile import load_profile
from tests.emu import mini

TOP = 0xFFFF82CFFFFFF000
STATES = "enum { ECS_FREE, ECS_RESERVED, ECS_VIRQ = 5 };"
KEPT_LOCKED = ("_spin_unlock(&d->event_lock);\n        if ( rc )", "if ( rc )")


def report(core: bytes, **given: int) -> ObjectReport:
    return emulate_object(core, load_profile("xen-pv-shim-4.10", given))


@pytest.mark.parametrize(
    ("name", "value", "own"),
    [
        ("ECS_FREE", 3, "0x0"),
        ("ECS_RESERVED", 2, "0x1"),
        ("ECS_VIRQ", 6, "0x5"),
        ("FIXADDR_TOP", TOP - 0x2000, f"{TOP:#x}"),
    ],
)
def test_a_number_that_is_not_the_cores(name: str, value: int, own: str) -> None:
    """All that is wrong follows from it: nothing is called wrong, and nothing right."""
    found = report(mini.core(), **{name: value})
    assert (found.outcome, found.findings) == (Outcome.CANNOT_TELL, ())
    assert {result.outcome for result in found.results} == {Outcome.CANNOT_TELL}
    said = f"the probe has {name} as {value:#x}, and the core goes by {own} ("
    assert found.results[0].note.startswith(said)


def test_several_numbers_at_once() -> None:
    found = report(mini.core(), ECS_RESERVED=2, ECS_UNBOUND=3, ECS_VIRQ=6, STACK_SIZE=0x8000)
    assert (found.outcome, found.findings) == (Outcome.CANNOT_TELL, ())


def test_a_number_that_neither_probe_nor_profile_has() -> None:
    core = mini.core((STATES, STATES.replace("5", "7")))
    found = report(core, ECS_VIRQ=6)
    assert (found.outcome, found.findings) == (Outcome.CANNOT_TELL, ())
    assert "the probe has ECS_VIRQ as 0x6, and the core goes by 0x7" in found.results[0].note


@pytest.mark.parametrize("number", [5, 6])
def test_what_is_wrong_in_a_tree_with_numbers_of_its_own_is_found(number: int) -> None:
    states = (STATES, STATES.replace("5", str(number)))
    assert report(mini.core(states), ECS_VIRQ=number).outcome is Outcome.PASSED
    found = report(mini.core(states, KEPT_LOCKED), ECS_VIRQ=number)
    assert found.outcome is Outcome.FAILED
    assert "locks" in {finding.invariant for finding in found.findings}


@pytest.mark.parametrize(
    "name",
    [
        "ECS_IPI",
        pytest.param("ECS_PIRQ", marks=pytest.mark.torture),
        pytest.param("VPF_down", marks=pytest.mark.torture),
    ],
)
def test_a_number_that_the_core_does_not_use_is_nobodys_doubt(name: str) -> None:
    assert report(mini.core(), **{name: 8}).outcome is Outcome.PASSED
    assert report(mini.core(KEPT_LOCKED), **{name: 8}).outcome is Outcome.FAILED
