# SPDX-License-Identifier: GPL-2.0-or-later
"""The sample is a real program: it builds at every step, breaks where it is to break, and translates."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from backport.sample.git import git
from backport.sample.write import SamplePaths, write_sample
from emu.object import emulate_object
from emu.profile import load_profile
from tests.backport.sample_repo import build, subject, take_series

XEN_ELFNOTE_PHYS32_ENTRY = 18
SHIM = "xen/arch/x86/pv/shim.o"

pytestmark = pytest.mark.xdist_group("the sample's builds")
"""They share what one of them has built."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SamplePaths:
    """Shared, and built in one place by all of them, as a kept worktree is."""
    return write_sample(tmp_path_factory.mktemp("build") / "sample")


def checkout(sample: SamplePaths, commit: str) -> None:
    git(sample.directory, "checkout", "-q", "-f", "--detach", commit)


@pytest.mark.slow
@pytest.mark.parametrize("last", [2, pytest.param(57, marks=pytest.mark.torture)])
def test_every_step_builds(sample: SamplePaths, last: int) -> None:
    """In one worktree and incrementally, so that the dependency files are proven too.

    The main job in test_validate builds every step as well; here no warning is let pass.
    """
    for commit in [sample.base, *take_series(sample, sample.series)][-last:]:
        checkout(sample, commit)
        result = build(sample.directory)
        assert result.returncode == 0, (subject(sample.directory, commit), result.stderr)
        assert result.stderr == ""
    image = (sample.directory / "xen/xen-syms").read_bytes()
    assert git(sample.directory, "status", "--porcelain") == b""
    build(sample.directory, "clean")
    assert build(sample.directory).returncode == 0
    assert (sample.directory / "xen/xen-syms").read_bytes() == image


def test_the_image_has_a_pvh_entry(sample: SamplePaths) -> None:
    take_series(sample, sample.series)
    assert build(sample.directory).returncode == 0
    elf = ELFFile(io.BytesIO((sample.directory / "xen/xen-syms").read_bytes()))
    section = elf.get_section_by_name(".note.Xen")
    assert isinstance(section, NoteSection)
    notes: list[Any] = list(section.iter_notes())
    (note,) = (n for n in notes if n["n_type"] == XEN_ELFNOTE_PHYS32_ENTRY)
    entry = int.from_bytes(note["n_descdata"], "little")
    (load,) = (s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD")
    assert load["p_paddr"] >= 1 << 20
    assert load["p_paddr"] <= entry < load["p_paddr"] + load["p_filesz"]
    assert load["p_vaddr"] - load["p_paddr"] == 0xFFFF82D080000000


@pytest.mark.torture
def test_the_broken_build_breaks_at_its_patch_and_is_repaired_four_later(
    sample: SamplePaths,
) -> None:
    commits = take_series(sample, sample.variants["build-break"])
    broken = 29  # commits[0] is the prerequisite, so this is the patch's own number
    for number in range(broken - 1, broken + 5):
        checkout(sample, commits[number])
        result = build(sample.directory)
        good = number < broken or number >= broken + 4
        assert (result.returncode == 0) is good, (number, result.stderr)
        if not good:
            assert "event_channel.c" in result.stderr
            assert "error: too few arguments to function ‘evtchn_bind_virq’" in result.stderr


@pytest.mark.parametrize(
    "setting", ["COMPAT", pytest.param("XEN_GUEST", marks=pytest.mark.torture)]
)
def test_every_option_can_be_left_out(sample: SamplePaths, setting: str) -> None:
    take_series(sample, sample.series)
    (sample.directory / "xen/.config").write_text(f"# CONFIG_{setting} is not set\n")
    result = build(sample.directory)
    (sample.directory / "xen/.config").unlink()
    assert (result.returncode, result.stderr) == (0, "")
    header = (sample.directory / "xen/include/generated/autoconf.h").read_text()
    assert f"CONFIG_{setting} " not in header


def found(sample: SamplePaths, mailbox: Path) -> set[tuple[str, str]]:
    """(invariant, operation) of what the emulation finds in the core of a series."""
    take_series(sample, mailbox)
    result = build(sample.directory, SHIM)
    assert result.returncode == 0, result.stderr
    profile = load_profile("xen-pv-shim-4.10")
    content = (sample.directory / SHIM).read_bytes()
    report = emulate_object(content, profile, depth="explore")
    return {(finding.invariant, finding.where) for finding in report.findings}


def test_the_good_core_translates(sample: SamplePaths) -> None:
    assert found(sample, sample.series) == set()


@pytest.mark.parametrize(
    ("name", "invariant", "operation"),
    [
        ("bug-wrong-port", "translation", "EVTCHNOP_bind_vcpu"),
        pytest.param("bug-guest-pointer", "SMAP", "EVTCHNOP_unmask", marks=pytest.mark.torture),
        pytest.param(
            "bug-leak-port", "resources", "EVTCHNOP_alloc_unbound", marks=pytest.mark.torture
        ),
        pytest.param("bug-leak-lock", "locks", "EVTCHNOP_alloc_unbound", marks=pytest.mark.torture),
        pytest.param(
            "bug-compat-truncated", "expectation", "GNTTABOP_setup_table", marks=pytest.mark.torture
        ),
        ("bug-uninit", "stack contents", "EVTCHNOP_bind_virq"),
    ],
)
def test_each_bug_is_found_for_the_right_reason(
    sample: SamplePaths, name: str, invariant: str, operation: str
) -> None:
    assert (invariant, operation) in found(sample, sample.variants[name])
