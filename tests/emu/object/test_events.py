# SPDX-License-Identifier: GPL-2.0-or-later
"""Events that a core is handed by L0 and raises in its guest: on the right channel, for the right vcpu."""

from __future__ import annotations

import pytest

from emu.errors import ProfileError
from emu.findings.verdict import ObjectReport, Outcome
from emu.object import emulate_object
from emu.object.probe import probe_source, read_probe
from emu.profile import parse_profile, with_layouts
from tests.emu import mini
from tests.emu.build import compile_source
from tests.emu.object.test_lying_probe import BARE, FIXED, PROFILE

TYPES = (
    (
        "u16 notify_vcpu_id; };",
        "u16 notify_vcpu_id; struct { struct { int counter; } cnts; } lock; };",
    ),
    (
        "    struct arch_domain arch;\n",
        "    struct arch_domain arch;\n    struct evtchn_port_ops *evtchn_port_ops;\n",
    ),
)
TABLE = r"""
struct evtchn_port_ops { void *init; void (*set_pending)(struct vcpu *v, struct evtchn *chn); };
struct domain *guest;
"""
BY_TABLE = r"""
void pv_shim_inject_evtchn(u32 port)
{
    struct evtchn *chn;

    if ( port >= guest->valid_evtchns )
        return;
    chn = channel(guest, port);
    if ( chn->lock.cnts.counter )
        return;
    chn->lock.cnts.counter += 0x800;
    guest->evtchn_port_ops->set_pending(guest->vcpu[chn->notify_vcpu_id], chn);
    chn->lock.cnts.counter -= 0x800;
}
"""
BY_NUMBER = r"""
void evtchn_set_pending(struct vcpu *v, u32 port);
void send_event_check(u32 vcpu);

void pv_shim_inject_evtchn(u32 port)
{
    struct domain *d = current_domain();
    u32 vcpu;

    if ( port >= d->valid_evtchns )
        return;
    vcpu = channel(d, port)->notify_vcpu_id;
    evtchn_set_pending(d->vcpu[vcpu], port);
    if ( vcpu != 0 )
        send_event_check(vcpu);
}
"""


def report(text: str, *changes: tuple[str, str]) -> ObjectReport:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return emulate_object(
        compile_source(mini.source(*TYPES) + (TABLE if "_ops" in text else "") + text),
        mini.profile(),
    )


def events(found: ObjectReport) -> dict[str, Outcome]:
    rows = {r.scenario: r.outcome for r in found.results if r.operation == "event"}
    return {name: outcome for name, outcome in rows.items() if outcome is not Outcome.ABSENT}


@pytest.mark.parametrize(("text", "scenarios"), [(BY_TABLE, 5), (BY_NUMBER, 3)])
def test_a_core_that_hands_events_on(text: str, scenarios: int) -> None:
    outcomes = events(report(text))
    assert len(outcomes) == scenarios
    assert set(outcomes.values()) == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("text", "change", "invariant", "said"),
    [
        (
            BY_TABLE,
            ("guest->vcpu[chn->notify_vcpu_id]", "guest->vcpu[0]"),
            "vcpus",
            "the event of port 12 is for vcpu 1, not for vcpu 0",
        ),
        (
            BY_TABLE,
            ("], chn);", "], chn + 1);"),
            "expectation",
            "port 12 is not made pending",
        ),
        (
            BY_TABLE,
            ("], chn);", "], chn + 1);"),
            "expectation",
            "port 13 is made pending",
        ),
        (
            BY_TABLE,
            ("], chn);", "], (struct evtchn *)guest);"),
            "crash",
            "which is no channel",
        ),
        (
            BY_TABLE,
            ("counter -= 0x800", "counter -= 0"),
            "locks",
            "the lock of port 12 is still held at return",
        ),
        (
            BY_TABLE,
            ("counter -= 0x800", "counter -= 0"),
            "expectation",
            "port 5 is not made pending",
        ),
        (
            BY_TABLE,
            (
                "if ( port >= guest->valid_evtchns )\n        return;",
                "port %= guest->valid_evtchns;",
            ),
            "expectation",
            "evtchn_port_ops.set_pending is called",
        ),
        (
            BY_TABLE,
            ("if ( chn->lock.cnts.counter )\n        return;", ""),
            "expectation",
            "evtchn_port_ops.set_pending is called",
        ),
        (
            BY_TABLE,
            ("if ( chn->lock.cnts.counter )\n        return;", "chn->lock.cnts.counter = 0;"),
            "expectation",
            "evtchn12.lock.cnts.counter is 0x0, and should be 0xffffffff",
        ),
        (
            BY_NUMBER,
            ("d->vcpu[vcpu], port", "d->vcpu[0], port"),
            "vcpus",
            "the event of port 12 is for vcpu 1, not for vcpu 0",
        ),
        (
            BY_NUMBER,
            (
                "    evtchn_set_pending(d->vcpu[vcpu], port);\n    if ( vcpu != 0 )\n"
                "        send_event_check(vcpu);\n",
                "    if ( vcpu != 0 )\n        send_event_check(vcpu);\n"
                "    evtchn_set_pending(d->vcpu[vcpu], port);\n",
            ),
            "vcpus",
            "a processor is told of an event before there is one",
        ),
        (
            BY_NUMBER,
            ("if ( vcpu != 0 )", "if ( vcpu == 0 )"),
            "expectation",
            "send_event_check is not called",
        ),
        (
            BY_NUMBER,
            ("    if ( port >= d->valid_evtchns )\n        return;\n", "    port &= 0xffff;\n"),
            "crash",
            "",
        ),
    ],
)
def test_a_core_that_does_it_wrongly(
    text: str, change: tuple[str, str], invariant: str, said: str
) -> None:
    found = mini.findings(report(text, change), invariant)
    assert any(said in finding.message for finding in found), [f.message for f in found]


def test_a_member_of_the_table_that_has_no_model() -> None:
    """It cannot be judged; the call goes nowhere."""
    named = ("*init; void (*set_pending)", "*init; void (*set_pending)(void); void (*kick)")
    profile = mini.profile_text().replace('["set_pending"]', '["kick", "set_pending"]')
    text = mini.source(*TYPES) + TABLE.replace(*named) + BY_TABLE.replace(">set_pending(", ">kick(")
    found = emulate_object(
        compile_source(text), parse_profile(profile.encode(), "test"), only="event"
    )
    assert (found.outcome, found.findings) == (Outcome.CANNOT_TELL, ())
    assert "evtchn_port_ops.kick is called" in found.results[0].note


def test_a_core_without_debug_information() -> None:
    """The probe is asked for the table, and where it hangs."""
    probe = "\n".join(
        line for line in probe_source(PROFILE).splitlines() if not line.startswith("#include")
    )
    types = mini.source(*TYPES, FIXED).partition("u32 copy_from_user(")[0]
    answers = read_probe(compile_source(f"{types}\n{TABLE}\n{probe}"), PROFILE)
    core = compile_source(mini.source(*TYPES) + TABLE + BY_TABLE, flags=BARE)
    found = emulate_object(core, with_layouts(PROFILE, answers.layouts))
    assert len(events(found)) == 5
    assert set(events(found).values()) == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('at = "domain.evtchn_port_ops"', 'at = "evtchn_port_ops"', "at"),
        ('functions = ["set_pending"]', "functions = []", "functions"),
        ('functions = ["set_pending"]', 'functions = ["set pending"]', "functions"),
    ],
)
def test_a_table_that_is_none(old: str, new: str, key: str) -> None:
    text = mini.profile_text()
    assert old in text
    with pytest.raises(ProfileError, match=rf"tables\.evtchn_port_ops\.{key}"):
        parse_profile(text.replace(old, new).encode(), "test")
