# SPDX-License-Identifier: GPL-2.0-or-later
"""What this emulation lacks is no fault of the image's: it could not be judged, and that is named."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backport.cli import app
from emu.booted import machine, ram
from emu.booted.emulate import BootReport, emulate_image
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.verdict import Outcome
from emu.l0 import OPERATIONS
from emu.profile import Profile, load_profile, parse_profile
from tests.emu import mini
from tests.emu.booted.test_boot_wrong import boot
from tests.emu.booted.test_in_place import IDT, TABLES
from tests.emu.images import sample_image, shim64

PROFILE = load_profile("xen-pv-shim-4.10")
CLWB = b"\x66\x0f\xae\x30"
SERIALIZE = b"\x0f\x01\xe8"
UDB = b"\xd6"


def start(code: str) -> BootReport:
    return emulate_image(shim64(code), PROFILE)


def row(report: BootReport, title: str) -> BehaviourRow:
    return next(row for row in report.behaviour if row.title == title)


@pytest.mark.parametrize(
    ("code", "name"), [(".byte 0x66,0x0f,0xae,0x30", "clwb"), (".byte 0x0f,0x01,0xe8", "serialize")]
)
def test_an_instruction_of_younger_processors(code: str, name: str) -> None:
    report = start(f"new: {code}")
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    missing, then = report.boot_unjudged
    assert missing == f"{name}, which the emulator does not know, at new+0x0"
    assert "triple fault: exception 6" in then


@pytest.mark.parametrize("code", ["ud2", ".byte 0xd6", ".byte 0x0f,0xb9,0xc0", ".byte 0xff,0xff"])
def test_what_is_no_instruction_at_all_is_the_image_s_own(code: str) -> None:
    report = start(f"bad: {code}")
    assert report.outcome is Outcome.FAILED
    assert report.findings[0].where == "bad+0x0"
    assert not report.boot_unjudged


@pytest.mark.parametrize(("code", "treatment"), [(CLWB, "UNJUDGED"), (UDB, "CRASHED")])
def test_in_a_call_of_the_guest(code: bytes, treatment: str) -> None:
    report = boot(code)
    (seen,) = report.behaviour
    assert seen.treatment is Treatment[treatment]
    assert bool(report.findings) is (treatment == "CRASHED")
    if treatment == "UNJUDGED":
        assert report.outcome is Outcome.CANNOT_TELL
        assert seen.note.startswith("clwb, which the emulator does not know, at pv_shim_")


def test_the_rows_that_do_not_come_there_are_judged() -> None:
    report = emulate_image(sample_image(), PROFILE, only="yield")
    assert report.outcome is Outcome.PASSED
    report = boot(CLWB, "yield")
    assert {seen.treatment for seen in report.behaviour} == {Treatment.LOCAL}


@pytest.mark.parametrize(("mode", "judged"), [(2, False), (4, True)])
def test_a_message_that_is_not_delivered(mode: int, judged: bool) -> None:
    """An SMI, and an NMI, which is."""
    report = start(f"""{IDT}
        movl    ${mode << 8:#x}, 0x300(%rbx)
        cli
end:    hlt
handler: iretq
{TABLES}""")
    assert (report.outcome is Outcome.FAILED) is judged
    assert bool(report.boot_unjudged) is not judged
    if not judged:
        assert "(2) that is not delivered" in report.boot_unjudged[0]
        assert report.boot_unjudged[1].endswith("at end+0x0")


def test_an_operation_of_l0_while_the_image_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the boot, where nobody looks at the answer, and in calls of the guest."""
    lacking = {name: op for name, op in OPERATIONS.items() if name != "EVTCHNOP_send"}
    monkeypatch.setattr(machine, "OPERATIONS", lacking)
    report = emulate_image(sample_image(), PROFILE, only="send")
    what = "L0 is asked for EVTCHNOP_send, which is not modelled"
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    assert {title: missing for title, missing in report.unjudged if title != "boot"} == {
        "send/64": what,
        "send/compat": what,
    }


def test_a_story_that_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {name: op for name, op in OPERATIONS.items() if name != "EVTCHNOP_bind_ipi"}
    monkeypatch.setattr(machine, "OPERATIONS", lacking)
    report = emulate_image(sample_image(), PROFILE, only="IPI to the second vcpu/64")
    seen = row(report, "IPI to the second vcpu/64")
    assert (seen.treatment, seen.findings) == (Treatment.UNJUDGED, ())
    assert "EVTCHNOP_bind_ipi" in seen.note


def lying(name: str, result: str) -> Profile:
    text = resources.files("emu").joinpath("profiles", "xen-pv-shim-4.10.toml").read_text()
    before, found, after = text.partition(f'name = "{name}"\n')
    assert found
    head, _, rest = after.partition("result = ")
    _, end, behind = rest.partition("\n")
    return parse_profile(f"{before}{found}{head}result = {result}{end}{behind}".encode(), "x")


@pytest.mark.parametrize(
    ("probe", "result", "outcome"),
    [
        pytest.param("version", "0x40009", Outcome.CANNOT_TELL, id="about the tree"),
        pytest.param("own vcpu is up", "0", Outcome.CANNOT_TELL, id="about the tree as well"),
        pytest.param("send to the console", "7", Outcome.FAILED, id="about the shim"),
    ],
)
def test_a_probe_that_expects_what_is_not_so(probe: str, result: str, outcome: Outcome) -> None:
    report = emulate_image(sample_image(), lying(probe, result), only=f"{probe}/64")
    assert report.outcome is outcome
    if outcome is Outcome.CANNOT_TELL:
        (seen,) = report.behaviour
        assert seen.note.startswith("the profile expects otherwise: the result is ")


def test_the_verb_says_what_is_missing(tmp_path: Path) -> None:
    """Exit 125, never 1."""
    image = tmp_path / "xen-syms"
    image.write_bytes(shim64("new: .byte 0x66,0x0f,0xae,0x30"))
    done = CliRunner().invoke(app, ["emulate", str(image)])
    assert done.exit_code == 125
    assert "could not be judged: boot: clwb, which the emulator does not know" in done.stdout
    assert "2 could not be judged" in done.stdout


def test_at_object_level() -> None:
    """An instruction in the core's way, and in the way of a failure alone."""
    new = '__asm__ volatile (".byte 0x66,0x0f,0xae,0x30" :: "a" (arg))'
    send = "return event_op(4, &op);"
    report = mini.report((send, f"{new}; {send}"), only="send/64")
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    assert report.results[0].note.startswith("clwb, which the emulator does not know, at pv_shim_")
    report = mini.report((send, f"rc = event_op(4, &op); if ( rc ) {{ {new}; }} return rc;"))
    assert mini.result(report, "send").outcome is Outcome.PASSED


def test_an_operation_of_l0_at_object_level() -> None:
    """What the core makes of an answer that is none of L0's is not looked at."""
    wrong = ("return event_op(4, &op);", "event_op(77, &op); BUG(); return 0;")
    report = mini.report(wrong, depth="explore", only="send/64")
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    assert "event_channel_op:77, which is not modelled" in report.results[0].note


def test_more_frames_than_the_machine_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What L0 answers then is this machine's own affair."""
    monkeypatch.setattr(ram, "SPARE_PAGES", 64)
    only = "setup_table of more frames than a batch/64"
    report = emulate_image(sample_image(), PROFILE, only=only)
    (seen,) = report.behaviour
    assert (seen.treatment, seen.findings) == (Treatment.UNJUDGED, ())
    assert seen.note.startswith("no room for frame 0x")
    assert report.outcome is Outcome.CANNOT_TELL


@pytest.mark.parametrize(
    "name", ["setup_table of more frames than a batch", "alloc_unbound across a page of channels"]
)
def test_more_than_a_batch_in_both_widths(name: str) -> None:
    report = emulate_image(sample_image(), PROFILE, only=name)
    assert report.outcome is Outcome.PASSED
    assert [seen.mode for seen in report.behaviour] == ["64", "compat"]
