# SPDX-License-Identifier: GPL-2.0-or-later
"""What a booted guest is told of the time of its vcpus, and what it has put into memory of its own."""

from __future__ import annotations

import pytest

from emu.abi import Mode
from emu.booted.emulate import emulate_mode
from emu.profile import load_profile
from tests.emu.accounting import accounting_image

PROFILE = load_profile("xen-pv-shim-4.10")


def wrong(story: str, mode: Mode, *changes: tuple[str, str]) -> list[str]:
    """What one story finds in the sample with accounts, changed like that."""
    report = emulate_mode(accounting_image(changes), PROFILE, mode, only=f"{story}/{mode}")
    return [finding.message for row in report.rows for finding in row.findings]


WHOSE = "runstates[v->vcpu_id];\n    struct vcpu_reg"
NOW = "r.time[r.state] += xen_time() - r.entered;"
WAKES = "    change(current, RUNNING);\n"
AREA = "put_runstate(v, areas[v->vcpu_id],"
PLACE = "mfn_to_virt(info->mfn) + info->offset;"
DAMAGES = [
    (
        "runstate of a vcpu that is not up",
        (WHOSE, WHOSE.replace("v->", "current->")),
        "of vcpu 1, its state is running, not offline",
    ),
    ("runstate", (NOW, ""), "of vcpu 0, its times grow by 0 ns"),
    (
        "runstate of the second vcpu",
        (NOW, "r.time[0] += v == current ? 1 : 2;"),
        "of vcpu 1, the time that it was running falls by 1 ns",
    ),
    (
        "runstate of the second vcpu while it is blocked",
        ("change(current, BLOCKED);", "change(current, RUNNABLE);"),
        "of vcpu 1, its state is runnable, not blocked",
    ),
    (
        "runstate of the second vcpu while it is blocked",
        ("change(current, BLOCKED);", "runstates[current->vcpu_id].state = BLOCKED;"),
        "of vcpu 1, the time that it was running falls",
    ),
    (
        "runstate of the second vcpu when it is down",
        ("    change(v, OFFLINE);\n", ""),
        "of vcpu 1, its state is running, not offline",
    ),
    (
        "runstate in memory",
        (f"{WAKES}    update_areas(current);\n", WAKES),
        "of vcpu 0, the memory area has it scheduled at",
    ),
    (
        "runstate of both in memory",
        (AREA, "put_runstate(v, areas[0],"),
        "of vcpu 0, the memory area has it scheduled at",
    ),
    (
        "copies of the time of both",
        ("copies[v->vcpu_id], &v->", "copies[0], &v->"),
        "the copy of the time of vcpu 1 is not as in its vcpu_info",
    ),
    (
        "copy of the time",
        ("vcpu_info->time, 32", "vcpu_info->time, 40"),
        "beyond the copy of the time of vcpu 0, its memory is written",
    ),
    (
        "vcpu_info elsewhere",
        ("    v->vcpu_info = new;\n", ""),
        "vcpu 0 has its vcpu_info elsewhere, and is not called for an event",
    ),
    (
        "vcpu_info elsewhere",
        ("    *new = *v->vcpu_info;\n", ""),
        "the time of vcpu 0 is",
    ),
    (
        "vcpu_info of the second vcpu elsewhere",
        ("    named[v->vcpu_id] = true;\n", ""),
        "VCPUOP_register_vcpu_info of vcpu 1 succeeds a second time",
    ),
    (
        "vcpu_info of the second vcpu elsewhere before it is up",
        (PLACE, f"{PLACE} v = current;"),
        "vcpu 1 has its vcpu_info elsewhere, and is not called for an event",
    ),
]


@pytest.mark.torture
@pytest.mark.parametrize(("story", "change", "message"), DAMAGES)
def test_damage_is_seen(story: str, change: tuple[str, str], message: str) -> None:
    found = wrong(story, Mode.NATIVE, change)
    assert any(message in each for each in found), found


@pytest.mark.slow
def test_a_32_bit_guest_has_structures_of_its_own() -> None:
    """44 bytes of a runstate, not 48."""
    wide = (
        "if ( !is_pv_32bit_domain(v->domain) )\n        return __copy",
        "if ( 1 )\n        return __copy",
    )
    found = wrong("runstate", Mode.COMPAT, wide)
    assert found == ["VCPUOP_get_runstate_info writes beyond the 44 bytes of its structure"]


@pytest.mark.torture
@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_is_found_where_nothing_is_wrong(mode: Mode) -> None:
    report = emulate_mode(accounting_image(), PROFILE, mode)
    known = (
        "vcpu info registered again after a resume"  # which the accounts of the test do not survive
    )
    assert {row.scenario for row in report.rows if row.findings} == {known}
