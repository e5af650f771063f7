# SPDX-License-Identifier: GPL-2.0-or-later
"""The same image on other machines, which a toolstack may as well choose."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backport.cli import app
from backport.report.booted import show_boot
from backport.validate.emulation import judge_boot
from emu.booted.emulate import BootReport, emulate_image
from emu.booted.settings import MIB, Settings, l0_setup, memory_map
from emu.booted.variants import machine_of, variants
from emu.elf.linked import parse_image
from emu.errors import ProfileError
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.verdict import Outcome
from emu.hardware.platform import start_info
from emu.profile import Profile, load_profile, parse_profile
from emu.spaces import PhysAddr
from tests.emu import mini
from tests.emu.booted.test_boot_bad import HYPERCALL_PAGE
from tests.emu.booted.test_boot_bad import PAGE as MACHINE_PAGE
from tests.emu.booted.test_boot_wrong import overwritten
from tests.emu.images import sample_image, shim64

PROFILE = load_profile("xen-pv-shim-4.10")


def with_variant(**values: str) -> Profile:
    """One variant alone."""
    before, _, rest = mini.profile_text().partition("[[boot.variant]]")
    after = rest[rest.index("[[boot.probe]]") :]
    rows = "\n".join(f"{key} = {value}" for key, value in values.items())
    return parse_profile(f"{before}[[boot.variant]]\n{rows}\n\n{after}".encode(), "test")


def booted(report: BootReport) -> list[BehaviourRow]:
    return [row for row in report.behaviour if row.operation == "boot"]


def deep(profile: Profile) -> BootReport:
    return emulate_image(sample_image(), profile, only="yield/64", deep=60)


def test_the_sample_comes_to_its_guest_on_all_of_them() -> None:
    report = deep(PROFILE)
    rows = booted(report)
    assert report.outcome is Outcome.PASSED
    assert [row.scenario for row in rows] == [f"boot: {v.name}" for v in PROFILE.boot.variants]
    *rows, kept = rows
    assert (kept.treatment, kept.note) == (Treatment.UNREACHED, "the image has no pv_shim_mem")
    assert {row.treatment for row in rows} == {Treatment.LOCAL}
    said = "the guest is entered, with 780 pages of memory and"
    assert {row.note for row in rows} == {f"{said} 1 vcpu", f"{said} 2 vcpus"}


def test_only_when_it_is_asked_for() -> None:
    assert not booted(emulate_image(sample_image(), PROFILE, only="yield/64"))


def test_one_that_does_not_bring_its_guest_up() -> None:
    (row,) = variants(parse_image(shim64("cli\nend: hlt")), with_variant(name='"x"', vcpus="3"), 60)
    (finding,) = row.findings
    assert row.treatment is Treatment.CRASHED
    assert finding.scenario == "boot: x/64"
    assert finding.message.startswith("the guest is never entered: halts, ")
    assert finding.where == "end+0x0"


@pytest.mark.parametrize("given", [1, 2])
def test_a_guest_with_a_vcpu_that_l0_has_not_given(given: int) -> None:
    """A core that takes every machine for one of two processors."""
    image = parse_image(overwritten(b"\xb8\x02\0\0\0\xc3", "pv_shim_nr_cpus"))
    (row,) = variants(image, with_variant(name='"x"', vcpus=f"{given}"), 60)
    wrong = ["the guest has 2 vcpus, L0 has given 1"]
    assert [finding.message for finding in row.findings] == (wrong if given == 1 else [])


SHUTS_DOWN = f"""{HYPERCALL_PAGE}
        lea     reason(%rip), %rsi
        mov     $2, %edi
        call    page + 29 * 32
reason: .long   3
{MACHINE_PAGE}"""


@pytest.mark.parametrize(
    ("code", "treatment", "wrong"),
    [
        (SHUTS_DOWN, Treatment.REFUSED, ()),
        ("cli\nend: hlt", Treatment.CRASHED, ("halts, ",)),
        ("", Treatment.CRASHED, ("the guest is entered, with 780 pages of memory and 2 vcpus",)),
    ],
)
def test_a_machine_that_an_image_has_to_refuse(
    code: str, treatment: Treatment, wrong: tuple[str, ...]
) -> None:
    """It says so and shuts down; to hang, or to enter a guest all the same, is a fault."""
    image = parse_image(shim64(code) if code else sample_image())
    (row,) = variants(image, with_variant(name='"x"', vcpus="2", impossible="true"), 60)
    assert row.treatment is treatment
    said = "what it is told cannot be, and it does not say so: "
    assert len(row.findings) == len(wrong)
    for finding, words in zip(row.findings, wrong, strict=True):
        assert finding.message.startswith(said + words)


def test_a_machine_that_promises_nothing() -> None:
    """Without the option an image may be another hypervisor, which needs more than this machine has."""
    values = with_variant(name='"x"', vcpus="2", any_end="true")
    (row,) = variants(parse_image(shim64("cli\nend: hlt")), values, 60)
    assert (row.treatment, row.findings) == (Treatment.LOCAL, ())
    assert row.note.startswith("no guest is entered: halts, ")


def test_one_where_the_emulation_lacks_something() -> None:
    code = "new: .byte 0x66,0x0f,0xae,0x30"
    (row,) = variants(parse_image(shim64(code)), with_variant(name='"x"', vcpus="3"), 60)
    assert (row.treatment, row.findings) == (Treatment.UNJUDGED, ())
    assert row.note.startswith("clwb, which the emulator does not know, at new+0x0")


def test_one_that_hangs_is_cut_when_the_time_is_over() -> None:
    """Without the cut it would be looked at closely, counted, and called a loop: a verdict on the image."""
    endless = parse_image(shim64("mov $5, %ecx\nagain: inc %rcx\njmp again"))
    two = replace(PROFILE, boot=replace(PROFILE.boot, variants=PROFILE.boot.variants[:2]))
    rows = list(variants(endless, two, 0.3))
    assert [(row.treatment, row.findings) for row in rows] == [(Treatment.UNREACHED, ())] * 2
    assert {row.note for row in rows} == {"left out: the 0.3 s for other machines are over"}


def test_none_begins_after_it() -> None:
    rows = list(variants(parse_image(sample_image()), PROFILE, 0))
    assert {row.treatment for row in rows} == {Treatment.UNREACHED}


def test_what_was_left_out_is_named_and_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    report = emulate_image(sample_image(), PROFILE, only="yield/64", deep=1e-9)
    show_boot(report, judge_boot(report), "x")
    words = " ".join(capsys.readouterr().out.split())
    first = PROFILE.boot.variants[0].name
    assert f"deep: 0 of {len(PROFILE.boot.variants)} boots on other machines" in words
    assert f"left out: the 1e-09 s for other machines are over: {first}, " in words
    assert report.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--deep",), "--deep is for a linked image"),
        (("--budget", "5"), "--budget is the time of --deep"),
        (("--deep", "--budget", "0"), "--budget"),
    ],
)
def test_a_wrong_use_of_it(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    file = tmp_path / "core.o"
    file.write_bytes(b"\x7fELF")
    done = CliRunner().invoke(app, ["emulate", str(file), *words])
    assert done.exit_code == 2
    assert said in done.stderr


def test_what_a_variant_changes() -> None:
    (variant,) = with_variant(
        name='"x"', memory="96", vcpus="3", command_line='"a b"', hole="[80, 2]"
    ).boot.variants
    machine = machine_of(PROFILE, variant)
    assert (machine.memory, machine.vcpus) == (96 * MIB, 3)
    assert machine.command_line == b"a b"
    assert memory_map(machine)[2:] == (
        (MIB, 79 * MIB, 1),
        (80 * MIB, 2 * MIB, 2),
        (82 * MIB, 14 * MIB, 1),
    )
    assert l0_setup(machine).memory_map == memory_map(machine)
    assert len(memory_map(Settings())) == 3


def test_the_start_info_with_a_map() -> None:
    """Version 1 (public hvm/start_info.h): where the table is, and how many entries it has."""
    entries = memory_map(Settings())
    pieces = dict(start_info(PhysAddr(0x10000), b"x", (PhysAddr(0x20000), 5), entries))
    magic, version = struct.unpack_from("<II", pieces[PhysAddr(0x10000)])
    table, count = struct.unpack_from("<QI", pieces[PhysAddr(0x10000)], 40)
    assert (magic, version, count) == (0x336EC578, 1, 3)
    assert struct.unpack_from("<QQII", pieces[PhysAddr(table)], 24) == (*entries[1], 0)
    plain = dict(start_info(PhysAddr(0x10000), b"x", (PhysAddr(0x20000), 5)))
    assert len(plain[PhysAddr(0x10000)]) == 40


@pytest.mark.parametrize(
    ("key", "value"),
    [("memory", "5"), ("vcpus", "9"), ("hole", "[1]"), ("hole", "[0, 1]"), ("hole", '["a", 1]')],
)
def test_a_machine_that_there_is_not(key: str, value: str) -> None:
    with pytest.raises(ProfileError, match=key):
        with_variant(**{"name": '"x"', key: value})


def test_the_verb_says_how_many(tmp_path: Path) -> None:
    image, profile = tmp_path / "xen-syms", tmp_path / "p.toml"
    image.write_bytes(sample_image())
    before, _, rest = mini.profile_text().partition("[[boot.variant]]")
    one = '[[boot.variant]]\nname = "one processor"\nvcpus = 1\n\n'
    profile.write_text(before + one + rest[rest.index("[[boot.probe]]") :])
    words = ["emulate", str(image), "--profile", str(profile), "--only", "yield/64", "--deep"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "deep: 1 boot on other machines, 60 s at most (--budget)\n" in done.stderr
    assert "deep: 1 of 1 boot on other machines" in done.stdout
    assert "boot: one processor" in done.stdout
