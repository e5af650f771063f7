# SPDX-License-Identifier: GPL-2.0-or-later
"""L0's PV console in the image's own hands: what the guest writes and what is typed, and what is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.abi import Mode
from emu.booted import emulate as boot
from emu.booted import starting
from emu.booted.emulate import BootReport, emulate_image
from emu.booted.ending import Ended
from emu.booted.settings import Settings
from emu.booted.stories import pv_console
from emu.booted.stories.telling import Came
from emu.booted.turns import Runner
from emu.elf.linked import LinkedImage
from emu.errors import ProfileError
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.verdict import Outcome
from emu.profile import Profile, load_profile
from emu.profile.data import PvConsole
from emu.profile.read import parse_profile
from tests.emu.booted.test_boot_wrong import RETURN_0, RETURN_1, UD2, overwritten
from tests.emu.images import sample_image, shim64

FIRST_MEMORY = "PV console: first memory"
NAMES = [told.name for told in pv_console.STORIES]


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile("xen-pv-shim-4.10")


def told(report: BootReport) -> dict[str, BehaviourRow]:
    return {row.scenario: row for row in report.behaviour if row.scenario in NAMES}


def alone(image: bytes, profile: Profile, name: str) -> BehaviourRow:
    return told(emulate_image(image, profile, only=name))[name]


def test_they_come_last_and_once(profile: Profile) -> None:
    report = emulate_image(sample_image(), profile)
    assert [row.title for row in report.behaviour[-len(NAMES) :]] == [f"{n}/64" for n in NAMES]
    assert list(told(report)) == NAMES
    assert report.outcome is Outcome.PASSED


def test_the_sample_has_the_console_at_once(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is not booted again; an image that is told to take it is, and the rows are the same."""
    boots: list[bytes] = []
    genuine = starting.boot

    def counted(image: LinkedImage, mode: Mode, settings: Settings) -> tuple[Runner, Ended | None]:
        boots.append(settings.command_line)
        return genuine(image, mode, settings)

    for module in (starting, boot):
        monkeypatch.setattr(module, "boot", counted)
    at_once = told(emulate_image(sample_image(), profile, only="PV console: output"))
    assert len(boots) == 2
    monkeypatch.setattr(boot, "has_console", lambda drive: False)
    again = told(emulate_image(sample_image(), profile, only="PV console: output"))
    assert sorted(boots[2:]) == sorted([*boots[:2], b"pv-shim console=pv loglvl=all"])
    assert at_once == again


@pytest.mark.parametrize("name", NAMES[1:])
def test_what_the_sample_carries(profile: Profile, name: str) -> None:
    row = alone(sample_image(), profile, name)
    carried = Treatment.LOCAL if name == FIRST_MEMORY else Treatment.DELIVERED
    assert (row.treatment, row.findings) == (carried, ())


@pytest.mark.parametrize(
    ("symbol", "code", "name", "said"),
    [
        ("consoled_guest_tx", RETURN_1, "input", "0 of 22 bytes; the first that is lost"),
        ("pv_shim_inject_evtchn", RETURN_0, "input", "its port 2 is not pending"),
        ("consoled_guest_rx", UD2, "output", "halts, and nothing will wake it"),
    ],
)
def test_what_a_broken_one_loses(
    profile: Profile, symbol: str, code: bytes, name: str, said: str
) -> None:
    row = alone(overwritten(code, symbol), profile, f"PV console: {name}")
    assert any(said in finding.message for finding in row.findings), row.findings


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("consoled_guest_rx", "output"), ("consoled_guest_tx", "input")],
)
def test_one_that_does_not_carry_it_yet_is_not_wrong(
    profile: Profile, symbol: str, name: str
) -> None:
    """Nor is it after a resume, then."""
    image = overwritten(RETURN_0, symbol)
    row = alone(image, profile, f"PV console: {name}")
    assert (row.treatment, row.findings) == (Treatment.LOCAL, ())
    later = alone(image, profile, f"PV console: {name} after a resume")
    assert (later.treatment, later.findings) == (Treatment.UNREACHED, ())


def test_what_came_before_a_resume_has_to_come_after_it(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = iter((Treatment.DELIVERED, Treatment.LOCAL))
    attempt = pv_console._after_resume(lambda guest: Came(next(came)))
    story = replace(pv_console.STORIES[-1], attempt=attempt)
    monkeypatch.setattr(boot, "PV_CONSOLE", (story,))
    (finding,) = alone(sample_image(), profile, story.name).findings
    assert finding.message == "what came before a resume does not come after it"


@pytest.mark.parametrize(
    ("sent", "came", "said"),
    [
        (b"a\n\0b", b"a\r\n\0b", ""),
        (b"a\n\0b", b"a\n\r\0b", ""),
        (b"ab\0cd", b"ab", "2 of 5 bytes; the first that is lost or another is byte 2 (0x00)"),
        (b"abc", b"abx", "3 of 3 bytes; the first that is lost or another is byte 2 (0x63)"),
        (b"abc", b"abcabc", "6 of 3 bytes"),
    ],
)
def test_in_what_two_texts_differ(sent: bytes, came: bytes, said: str) -> None:
    assert pv_console._differs(sent, came) == said


def test_an_image_that_has_no_such_console(profile: Profile) -> None:
    way = PvConsole("console=pv", ("no_such_function",))
    without = replace(profile, boot=replace(profile.boot, pv_console=way))
    report = emulate_image(shim64("hlt"), without)
    assert {row.note for row in told(report).values()} == {"the image has no no_such_function"}
    assert {row.treatment for row in told(report).values()} == {Treatment.UNREACHED}


def test_an_image_whose_guest_is_never_entered_is_not_booted_again(profile: Profile) -> None:
    way = PvConsole("console=pv", ("pv_shim_event_channel_op",))
    there = replace(profile, boot=replace(profile.boot, pv_console=way))
    report = emulate_image(shim64("hlt"), there)
    assert {row.note for row in told(report).values()} == {"no guest is entered"}


def test_a_profile_may_do_without(profile: Profile) -> None:
    without = replace(profile, boot=replace(profile.boot, pv_console=None))
    assert not told(emulate_image(sample_image(), without, only="yield"))


def test_a_mistake_in_the_profile_is_named() -> None:
    text = 'format = 1\nname = "p"\n[core]\nobject = "a.o"\nsource = "a.c"\n[boot.pv_console]\n'
    with pytest.raises(ProfileError, match="command_line"):
        parse_profile(text.encode(), "p.toml")
    text += 'command_line = "console=pv"\n'
    with pytest.raises(ProfileError, match="symbols"):
        parse_profile(text.encode(), "p.toml")
