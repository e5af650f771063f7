# SPDX-License-Identifier: GPL-2.0-or-later
"""The booted level with the sample's own image: it boots, its guests ask, and every run is the same."""

from __future__ import annotations

import json
import pickle
import struct
from dataclasses import replace

import pytest

from emu.abi import Mode
from emu.booted.drive import Drive
from emu.booted.emulate import MODES, BootReport, emulate_image
from emu.booted.guest import Guest
from emu.booted.machine import Machine
from emu.booted.settings import Settings
from emu.booted.turns import Runner
from emu.elf.linked import parse_image
from emu.errors import EmuError
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.verdict import Outcome
from emu.guest import build_kernel
from emu.hardware.clock import TSC_HZ
from emu.l0.shared import TIME
from emu.profile import Profile, load_profile
from tests.emu.images import sample_image


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile("xen-pv-shim-4.10")


@pytest.fixture(scope="module")
def report(profile: Profile) -> BootReport:
    return emulate_image(sample_image(), profile)


def row(report: BootReport, title: str) -> BehaviourRow:
    (found,) = (row for row in report.behaviour if row.title == title)
    return found


def test_the_good_image_climbs_every_rung(report: BootReport) -> None:
    assert [m.name for m in report.ladder if not m.reached] == []
    assert len({m.name for m in report.ladder}) == len(report.ladder), "each is told of once"
    assert report.milestone("second L2 vCPU entered (32-bit)") is not None
    assert "guest: 64-bit" in report.console


def test_nothing_is_found_in_the_good_image(report: BootReport) -> None:
    assert report.findings == ()
    assert report.outcome is Outcome.PASSED


@pytest.mark.parametrize("mode", ["64", "compat"])
@pytest.mark.parametrize(
    ("scenario", "treatment", "result", "ops"),
    [
        ("alloc_unbound", Treatment.FORWARDED, 0, ["EVTCHNOP_alloc_unbound"]),
        ("alloc_unbound bad pointer", Treatment.LOCAL, -14, []),
        (
            "alloc_unbound port in use",
            Treatment.FORWARDED,
            -16,
            ["EVTCHNOP_alloc_unbound", "EVTCHNOP_close"],
        ),
        ("bind_virq", Treatment.LOCAL, 0, ["EVTCHNOP_alloc_unbound"]),
        ("status of a virq", Treatment.LOCAL, 0, []),
        ("send", Treatment.FORWARDED, 0, ["EVTCHNOP_send"]),
        ("bind_pirq", Treatment.REFUSED, -95, []),
        (
            "setup_table",
            Treatment.LOCAL,
            0,
            ["GNTTABOP_query_size", "XENMEM_add_to_physmap", "XENMEM_add_to_physmap"],
        ),
    ],
)
def test_what_becomes_of_an_operation(
    report: BootReport,
    mode: str,
    scenario: str,
    treatment: Treatment,
    result: int,
    ops: list[str],
) -> None:
    """Through ``syscall`` for the 64-bit guest, ``int $0x82`` for the 32-bit one."""
    seen = row(report, f"{scenario}/{mode}")
    assert (seen.treatment, seen.result) == (treatment, result)
    assert [call.op for call in seen.l0_calls] == ops


def test_the_same_image_gives_the_same_bytes(report: BootReport, profile: Profile) -> None:
    again = emulate_image(sample_image(), profile)
    assert json.dumps(again.to_json(timing=False)) == json.dumps(report.to_json(timing=False))


def test_a_report_survives_pickle_and_json(report: BootReport) -> None:
    assert pickle.loads(pickle.dumps(report)) == report
    assert BootReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    with pytest.raises(ValueError, match="format 99"):
        BootReport.from_json({**report.to_json(), "format": 99})


def test_one_scenario_alone(report: BootReport, profile: Profile) -> None:
    one = emulate_image(sample_image(), profile, only="setup_table/compat")
    assert one.behaviour == (row(report, "setup_table/compat"),)
    with pytest.raises(EmuError, match="no scenario 'setup_tabel'"):
        emulate_image(sample_image(), profile, only="setup_tabel")


def test_an_l0_failure_can_be_seen_again(profile: Profile) -> None:
    again = emulate_image(sample_image(), profile, only="alloc_unbound/64!0")
    (seen,) = again.behaviour
    assert seen.result == -22
    assert [call.result for call in seen.l0_calls] == [-22]


@pytest.mark.parametrize("mode", ["64", "compat"])
@pytest.mark.parametrize(
    ("title", "treatment"),
    [
        ("event from L0", Treatment.DELIVERED),
        ("event and the guest's callback", Treatment.DELIVERED),
        ("events at once", Treatment.DELIVERED),
        ("event while its port is masked", Treatment.DELIVERED),
        ("event in a call", Treatment.DELIVERED),
        ("event while blocked", Treatment.DELIVERED),
        ("event while yielding", Treatment.DELIVERED),
        ("event that is polled for", Treatment.DELIVERED),
        ("poll that times out", Treatment.LOCAL),
        ("event of the timer", Treatment.DELIVERED),
        ("timer while blocked", Treatment.DELIVERED),
        ("console ring", Treatment.DELIVERED),
        ("console write", Treatment.DELIVERED),
        ("console input", Treatment.DELIVERED),
        ("memory given back", Treatment.FORWARDED),
        ("memory given back and taken again", Treatment.FORWARDED),
        ("memory given back and one page taken again", Treatment.FORWARDED),
        ("memory of which L0 takes half back", Treatment.LOCAL),
        ("suspend that is cancelled", Treatment.FORWARDED),
        ("suspend and resume", Treatment.FORWARDED),
        ("second vcpu", Treatment.LOCAL),
        ("event to the second vcpu", Treatment.DELIVERED),
        ("IPI to the second vcpu", Treatment.DELIVERED),
        ("second vcpu asks", Treatment.DELIVERED),
        ("event while the second vcpu is blocked", Treatment.DELIVERED),
        ("suspend and resume with two", Treatment.FORWARDED),
        ("second vcpu down", Treatment.LOCAL),
        ("second vcpu down and up again", Treatment.LOCAL),
        ("shutdown", Treatment.FORWARDED),
    ],
)
def test_what_comes_to_the_guest(
    report: BootReport, mode: str, title: str, treatment: Treatment
) -> None:
    """Whatever the guest is doing, and on either of its vcpus."""
    if (title, mode) == ("event while its port is masked", "compat"):
        treatment = Treatment.LOCAL  # the sample looks for a 64-bit guest's mask
    assert row(report, f"{title}/{mode}").treatment is treatment


@pytest.mark.parametrize("mode", ["64", "compat"])
def test_what_becomes_of_the_second_processor(report: BootReport, mode: str) -> None:
    assert row(report, f"second vcpu/{mode}").note == "it runs, on a processor of its own"
    assert row(report, f"second vcpu down/{mode}").note == "its processor is switched off"


def test_one_story_alone(report: BootReport, profile: Profile) -> None:
    """One about the second vcpu needs it brought up before."""
    one = emulate_image(sample_image(), profile, only="event to the second vcpu/64")
    titles = [found.title for found in one.behaviour]
    assert titles == ["second vcpu/64", "event to the second vcpu/64"]
    assert one.behaviour[1] == row(report, "event to the second vcpu/64")


def test_a_machine_with_one_processor(profile: Profile) -> None:
    alone = replace(profile, boot=replace(profile.boot, vcpus=1))
    report = emulate_image(sample_image(), alone)
    assert report.outcome is Outcome.PASSED
    assert row(report, "second vcpu/64").treatment is Treatment.UNREACHED
    assert [m.name for m in report.ladder if not m.reached] == [
        "second vCPU online",
        "second L2 vCPU entered (64-bit)",
        "second L2 vCPU entered (32-bit)",
    ]


@pytest.mark.parametrize("mode", MODES)
def test_the_guest_reads_its_own_time(mode: Mode) -> None:
    """From its own ring, against a record that may begin before the counter of the machine does."""
    settings = Settings()
    runner = Runner(Machine(parse_image(sample_image()), build_kernel(mode), settings))
    try:
        runner.boot()
        guest = Guest(Drive(runner))
        clock = runner.machine.devices.clock
        before = clock.ticks
        assert before < guest.drive.timestamp() <= clock.ticks
        record = struct.pack("<IIQQIb", 2, 0, (1 << 64) - 2_000_000, 5_000, 1 << 31, 0)
        runner.machine.ram.write(guest.shared_info + TIME, record)
        before, time, after = clock.ticks, guest.time(), clock.ticks
        assert before < (time - 5_000 - 1_000_000) * TSC_HZ // 10**9 <= after
    finally:
        runner.close()
