# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a tree before it is judged, and from where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backport.cli import app
from emu.booted.facts import image_facts
from emu.findings.fact import Fact, Source
from emu.object.facts import object_facts
from emu.object.probe import probe_source, read_probe
from emu.profile import Profile, load_profile, with_layouts
from tests.backport.report.test_schemas import check
from tests.emu import mini
from tests.emu.booted.test_in_place import VMCALL, in_place
from tests.emu.build import FLAGS, compile_source
from tests.emu.images import sample_image, shim32
from tests.emu.object.test_newer_trees import ALTERNATIVE_2, IN_PLACE, rwlocked

PROFILE = load_profile("xen-pv-shim-4.10")


def known(facts: tuple[Fact, ...]) -> dict[str, tuple[str, Source]]:
    return {fact.what: (fact.value, fact.source) for fact in facts}


def test_of_an_object() -> None:
    facts = known(object_facts(mini.core(), PROFILE))
    assert facts["entry event_channel_op"] == ("pv_shim_event_channel_op", Source.SYMBOLS)
    assert facts["entry shutdown"] == ("no pv_shim_shutdown", Source.NOWHERE)
    assert facts["L0 is called"] == ("by the hypercall page", Source.SYMBOLS)
    assert facts["STACK_SIZE"] == ("0x8000", Source.PROFILE)
    assert facts["struct evtchn"] == ("8 bytes", Source.TYPES)
    assert facts["domain.event_lock"] == ("taken by calls", Source.TYPES)
    assert facts["accesses that may fault"] == ("1", Source.CODE)
    assert "alternatives" not in facts


@pytest.mark.parametrize("change", [IN_PLACE, ALTERNATIVE_2])
def test_of_calls_in_place(change: tuple[str, str]) -> None:
    facts = known(object_facts(mini.core(change), PROFILE))
    assert facts["L0 is called"] == ("in place, by vmcall or vmmcall", Source.CODE)
    if change is ALTERNATIVE_2:
        value, source = facts["alternatives"]
        assert value.endswith(" of 14 bytes")
        assert source is Source.RELOCATIONS


def test_of_a_lock_in_place() -> None:
    facts = known(object_facts(rwlocked(), PROFILE))
    assert facts["domain.event_lock"][0] == "taken counted in place"


def test_of_a_field_that_has_moved() -> None:
    fields, within = "u8 is_32bit_pv; u32", "struct { u8 is_32bit; } pv; u32"
    core = mini.core((fields, within), ("arch.is_32bit_pv", "arch.pv.is_32bit"))
    facts = known(object_facts(core, PROFILE))
    assert facts["struct domain.arch.is_32bit_pv"] == ("is arch.pv.is_32bit here", Source.TYPES)


def probed() -> Profile:
    """What a probe of the miniature core's tree says, which has no headers."""
    text = probe_source(PROFILE)
    probe = "\n".join(line for line in text.splitlines() if not line.startswith("#include"))
    types = mini.source().partition("u32 copy_from_user(")[0]
    answers = read_probe(compile_source(f"{types}\n#define STACK_SIZE 0x8000\n{probe}"), PROFILE)
    return with_layouts(load_profile("xen-pv-shim-4.10", answers.constants), answers.layouts)


def test_a_probe_is_where_types_come_from_that_the_object_lacks() -> None:
    bare = compile_source(mini.source(), flags=tuple(flag for flag in FLAGS if flag != "-g"))
    facts = known(object_facts(bare, probed()))
    assert facts["struct evtchn"] == ("8 bytes", Source.PROBE)
    assert facts["STACK_SIZE"] == ("0x8000", Source.PROBE)
    assert facts["FIXADDR_TOP"][1] is Source.PROFILE


def test_a_probe_is_asked_for_a_lock_in_place() -> None:
    """Without it, a tree without -g looks as if it never took its lock."""
    assert "domain.event_lock.cnts.counter".partition(".")[2] in {
        path for paths in asked() for path in paths
    }


def asked() -> list[tuple[str, ...]]:
    from emu.object.structures import asked_of

    return list(asked_of(PROFILE).values())


def test_of_an_image() -> None:
    facts = known(image_facts(sample_image(), PROFILE))
    assert facts["entry"][1] is Source.NOTES
    value, source = facts["L0 is called"]
    assert value.startswith("by a page at 0x")
    assert source is Source.BOOT
    assert facts["version"] == ("it does not say", Source.NOWHERE)
    assert "since its start info does not say" in facts["the guest's page tables"][0]


def test_of_an_image_that_calls_in_place() -> None:
    value, _ = known(image_facts(in_place(VMCALL), PROFILE))["L0 is called"]
    assert value.startswith("in place, first at hypercall_page+")


def test_of_an_image_that_gets_nowhere() -> None:
    facts = known(image_facts(shim32("cli\nhlt"), PROFILE))
    assert facts["L0 is called"] == ("in no way that is known", Source.NOWHERE)
    assert "nothing will wake it at pvh_start+0x1" in facts["its guest"][0]


def test_the_verb_shows_them_and_judges_nothing(tmp_path: Path) -> None:
    """Exit 0 also for a core of which something is wrong."""
    core = tmp_path / "shim.o"
    core.write_bytes(mini.core(("_spin_unlock(&d->event_lock);", "")))
    shown = CliRunner().invoke(app, ["emulate", str(core), "--why"])
    assert shown.exit_code == 0
    assert "taken by calls" in shown.stdout
    assert "still held" not in shown.stdout
    written = CliRunner().invoke(app, ["emulate", str(core), "--why", "--json", "-"])
    document = json.loads(written.stdout)
    check("emulate", document)
    assert {"what": "struct evtchn", "value": "8 bytes", "from": "debug information"} in document[
        "facts"
    ]
