# SPDX-License-Identifier: GPL-2.0-or-later
"""A probe of another tree: an error where the object knows better, else nothing is said of anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.errors import LayoutError
from emu.findings.verdict import Outcome
from emu.object import emulate_object
from emu.object.probe import probe_source, read_probe
from emu.profile import Profile, load_profile, with_layouts
from tests.emu import mini
from tests.emu.build import FLAGS, compile_source

PROFILE = load_profile("xen-pv-shim-4.10")
FIXED = "enum fixed {", "enum fixed_addresses {"
"""As the probe asks for it."""
SHARED = "(FIX_XEN_SHARED_INFO << 12)"
BARE = tuple(flag for flag in FLAGS if flag != "-g")


def probed(*changes: tuple[str, str]) -> Profile:
    """What a probe says of the miniature core's tree, or of one that differs from it."""
    text = probe_source(PROFILE)
    probe = "\n".join(line for line in text.splitlines() if not line.startswith("#include"))
    types = mini.source(*changes, FIXED).partition("u32 copy_from_user(")[0]
    answers = read_probe(compile_source(f"{types}\n{probe}"), PROFILE)
    return with_layouts(PROFILE, answers.layouts)


def test_the_right_one() -> None:
    report = emulate_object(compile_source(mini.source(), flags=BARE), probed())
    assert report.outcome is Outcome.PASSED
    assert report.borrowed


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("*current_vcpu; };", "*current_vcpu; u64 more[2]; };"), "struct cpu_info.current_vcpu"),
        (("{ u8 is_32bit_pv;", "{ u8 more, is_32bit_pv;"), "struct domain.arch.is_32bit_pv"),
        (("{ u32 vcpu_id; struct domain", "{ u64 more[3]; struct domain"), "struct vcpu.domain"),
        (
            ("    u32 max_vcpus,", "    u64 more[300];\n    u32 max_vcpus,"),
            "struct domain.valid_evtchns",
        ),
    ],
)
def test_one_of_another_tree(change: tuple[str, str], field: str) -> None:
    """Nothing is called wrong that only looks so."""
    report = emulate_object(compile_source(mini.source(), flags=BARE), probed(change))
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    assert {result.outcome for result in report.results} == {Outcome.CANNOT_TELL}
    assert report.results[0].note.startswith(f"the core does not look at {field} where the probe")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            (
                "    struct evtchn *evtchn;\n    struct evtchn **evtchn_group[4];\n",
                "    struct evtchn **evtchn_group[4];\n    struct evtchn *evtchn;\n",
            ),
            "the core reads 8 bytes at 0x28 of struct domain, where the probe has no field",
        ),
        (
            (
                "    spinlock_t event_lock;\n    u32 max_vcpus,",
                "    u32 max_vcpus;\n    spinlock_t event_lock;\n    u32 ",
            ),
            "the core takes a lock at 0x4 of struct domain, where the probe has none",
        ),
        (
            (
                "u32 port; u8 state; u16 notify_vcpu_id; }",
                "u32 port; u8 state; u8 more; u16 more2; }",
            ),
            "the core writes 2 bytes at 0x6 of struct evtchn, where the probe has no field",
        ),
    ],
    ids=["channels", "lock", "field of a channel"],
)
def test_one_whose_other_fields_differ(change: tuple[str, str], what: str) -> None:
    """The core uses bytes that nobody has put there: neither what fails nor what passes counts."""
    core = compile_source(mini.source(), flags=BARE)
    for depth in ("scenarios", "explore"):
        report = emulate_object(core, probed(change), depth=depth)
        assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
        assert {result.outcome for result in report.results} == {Outcome.CANNOT_TELL}
        assert report.results[0].note.startswith(what)


def test_a_lock_may_be_a_field_that_the_profile_names() -> None:
    """As the domain's own lock is in real trees: here the place where the core's lock is by its own types."""
    swapped = (
        "    spinlock_t event_lock;\n    u32 max_vcpus,",
        "    u32 max_vcpus;\n    spinlock_t event_lock;\n    u32 ",
    )
    core, profile = compile_source(mini.source(), flags=BARE), probed(swapped)
    named = replace(profile, uses={"struct domain": ("max_vcpus",)})
    lock = "takes a lock at 0x4 of struct domain"
    for given, doubted in ((profile, True), (named, False)):
        report = emulate_object(core, given, only="alloc_unbound/64")
        assert (lock in report.results[0].note) is doubted


def test_a_field_that_only_a_failure_leads_to() -> None:
    """That one case is in doubt, and no other."""
    late = (
        "            return give_back(op.port, rc);\n",
        "            return give_back(op.port, rc + !!d->max_evtchns);\n",
    )
    more = ("max_evtchns, max_evtchn_port", "other, max_evtchn_port")
    core = compile_source(mini.source(late), flags=BARE)
    report = emulate_object(core, probed(more), depth="explore", only="alloc_unbound")
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    clean = emulate_object(core, probed(more), depth="explore", only="close")
    assert clean.outcome is Outcome.PASSED


def test_a_fixed_page_that_the_probe_has_elsewhere() -> None:
    moved = ("FIX_HOLE, FIX_XEN_SHARED_INFO", "FIX_HOLE, FIX_MORE, FIX_XEN_SHARED_INFO")
    report = emulate_object(compile_source(mini.source(), flags=BARE), probed(moved))
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    note = next(r.note for r in report.results if r.outcome is Outcome.CANNOT_TELL)
    assert note.startswith("a fixed page at 0xffff82cfffffe000")
    assert "the probe has shared_info elsewhere" in note


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            ("struct cpu_info { u64 regs[16];", "struct cpu_info { u64 regs[17];"),
            "struct cpu_info with 152 bytes, the object with 144",
        ),
        (
            ("u32 vcpu_id; struct domain *domain;", "struct domain *domain; u32 vcpu_id;"),
            "struct vcpu.domain at 0x0, the object elsewhere",
        ),
        (
            ("u32 max_vcpus, max_evtchns,", "u32 max_vcpus, max_channels,"),
            "",
        ),
        (
            ("FIX_HOLE, FIX_XEN_SHARED_INFO", "FIX_HOLE, FIX_MORE, FIX_XEN_SHARED_INFO"),
            "FIX_XEN_SHARED_INFO as 2, the object as 1",
        ),
    ],
    ids=["size", "order", "a field that it does not know", "enumerator"],
)
def test_one_that_the_object_contradicts(change: tuple[str, str], what: str) -> None:
    if not what:
        assert emulate_object(mini.core(), probed(change)).outcome is Outcome.PASSED
        return
    with pytest.raises(LayoutError, match=f"the probe has {what}"):
        emulate_object(mini.core(), probed(change))


def test_a_core_that_lacks_what_the_control_asks_for() -> None:
    """Early in a series: no operation, no doubt."""
    early = ("case 5: {", "case 55: {")
    report = emulate_object(compile_source(mini.source(early), flags=BARE), probed())
    assert report.outcome is Outcome.PASSED


def test_a_fixed_page_that_nobody_has_named() -> None:
    """Where the shared page lies is not known: what the core does there is not to be called a crash."""
    nowhere = (
        ("FIX_HOLE, FIX_XEN_SHARED_INFO", "FIX_HOLE, FIX_OTHER"),
        (SHARED, SHARED.replace("XEN_SHARED_INFO", "OTHER")),
    )
    report = emulate_object(compile_source(mini.source(*nowhere)), PROFILE)
    assert (report.outcome, report.findings) == (Outcome.CANNOT_TELL, ())
    unknown = "shared_info: neither the object nor a probe has FIX_XEN_SHARED_INFO, which the core uses at"
    notes = [r.note for r in report.results if r.outcome is Outcome.CANNOT_TELL]
    assert notes
    assert all(note.startswith(unknown) for note in notes)
