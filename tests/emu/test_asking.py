# SPDX-License-Identifier: GPL-2.0-or-later
"""How L0 is asked: reserved fields are zero, each request is for something; what is known has a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backport.cli import app
from backport.validate.emulation import judge_boot, judge_object
from backport.verdicts import State
from emu import abi
from emu.booted.emulate import BootReport, emulate_image
from emu.errors import EmuError, ProfileError
from emu.findings.verdict import ObjectReport, Outcome
from emu.object import emulate_object
from emu.profile import Profile, load_profile, parse_profile
from emu.rules.asking import empty, unclean
from tests.emu import mini
from tests.emu.booted.test_boot_bad import HYPERCALL_PAGE, PAGE
from tests.emu.images import shim64

PROFILE = load_profile("xen-pv-shim-4.10")
SEND = "return event_op(4, &op);"
GET_PARAM = """{
            struct { u16 domid, pad; u32 index; u64 value; } param =
                { .domid = 0x7ff0, .pad = PAD, .index = 2 };
            hypercall(34, 1, &param, 0);
        }
        return event_op(4, &op);"""
POPULATE = """{
            struct { u64 *start; u64 nr; u32 order, flags; u16 domid; } give =
                { .nr = COUNT, .domid = 0x7ff0 };
            u64 frame = 5;
            give.start = &frame;
            memory_op(6, &give);
        }
        return event_op(4, &op);"""
RSVD = f"""{HYPERCALL_PAGE}
        lea     info(%rip), %rdx
        mov     $10, %edi
        xor     %esi, %esi
ask:    call    page + 24 * 32
        cli
end:    hlt
        .balign 8
info:   .quad   0x300
        .long   0
        .long   VALUE
{PAGE}"""
REASON = "nobody has looked at it so far"


def accepting(**changes: str) -> Profile:
    fields = {
        "invariant": "reserved fields",
        "file": "core.c",
        "function": "pv_shim_event_channel_op",
        "why": REASON,
    } | changes
    rows = "\n".join(f'{key} = "{value}"' for key, value in fields.items())
    return parse_profile(f"{mini.profile_text()}\n[[accepted]]\n{rows}\n".encode(), "test")


def asked(text: str, profile: Profile = PROFILE, **values: int) -> ObjectReport:
    for name, value in values.items():
        text = text.replace(name, str(value))
    return emulate_object(mini.core((SEND, text)), profile, only="send/64")


@pytest.mark.parametrize("pad", [0, 7])
def test_a_reserved_field(pad: int) -> None:
    report = asked(GET_PARAM, PAD=pad)
    messages = [finding.message for finding in mini.findings(report, "reserved fields")]
    wrong = ["pad of HVMOP_get_param is reserved, and L0 is given 0x7"]
    assert messages == (wrong if pad else [])


@pytest.mark.parametrize("count", [0, 1])
def test_a_request_for_nothing(count: int) -> None:
    report = asked(POPULATE, COUNT=count)
    messages = [finding.message for finding in mini.findings(report, "asked for nothing")]
    wrong = ["XENMEM_populate_physmap is asked for with nr_extents = 0"]
    assert messages == ([] if count else wrong)


def start(value: int, profile: Profile = PROFILE) -> BootReport:
    return emulate_image(shim64(RSVD.replace("VALUE", str(value))), profile)


@pytest.mark.parametrize("value", [0, 9])
def test_on_the_way_to_the_guest(value: int) -> None:
    """Where nobody has asked for anything yet: the rule names who called."""
    found = [f for f in start(value).findings if f.invariant == "reserved fields"]
    assert [finding.where for finding in found] == (["ask+0x4"] if value else [])


def test_what_is_accepted_for_a_reason_fails_nothing() -> None:
    known = accepting(function="ask", says="rsvd of")
    (finding,) = [f for f in start(9, known).findings if f.invariant == "reserved fields"]
    assert finding.accepted == REASON
    verdict = judge_boot(start(9, known))
    assert "1 finding accepted" in verdict.summary
    assert all("reserved" not in line for line in verdict.lines)


@pytest.mark.parametrize(
    "changes",
    [{"function": "tell"}, {"invariant": "crash"}, {"function": "ask", "says": "pad of"}],
)
def test_what_is_something_else_is_not_accepted(changes: dict[str, str]) -> None:
    (finding,) = [
        f for f in start(9, accepting(**changes)).findings if f.invariant == "reserved fields"
    ]
    assert not finding.accepted


def test_at_object_level_the_place_is_the_operation_where_no_address_is_known(
    tmp_path: Path,
) -> None:
    known = accepting(function="EVTCHNOP_send")
    report = asked(GET_PARAM, known, PAD=7)
    (finding,) = report.findings
    assert (finding.accepted, report.outcome) == (REASON, Outcome.PASSED)
    assert judge_object(report).state is State.PASSED
    assert judge_object(asked(GET_PARAM, PAD=7)).state is State.FAILED
    profile, core = tmp_path / "p.toml", tmp_path / "core.o"
    rows = 'invariant = "reserved fields"\nfile = "core.c"\nfunction = "EVTCHNOP_send"\n'
    profile.write_text(f'{mini.profile_text()}\n[[accepted]]\n{rows}why = "{REASON}"\n')
    core.write_bytes(mini.core((SEND, GET_PARAM.replace("PAD", "7"))))
    done = CliRunner().invoke(app, ["emulate", str(core), "--profile", str(profile)])
    assert done.exit_code == 0
    assert "accepted: reserved fields at EVTCHNOP_send: pad of HVMOP_get_param" in done.stdout
    assert REASON in done.stdout


@pytest.mark.parametrize(("key", "value"), [("invariant", "crashes"), ("why", " ")])
def test_an_acceptance_that_says_too_little(key: str, value: str) -> None:
    with pytest.raises(ProfileError, match=key):
        accepting(**{key: value})


def test_bytes_that_have_a_meaning_are_not_reserved() -> None:
    info = abi.structure("VCPUOP_register_vcpu_info")
    assert info is not None
    raw = info.encode({"mfn": 1 << 40, "offset": 0xFFF})
    assert not list(unclean([("VCPUOP_register_vcpu_info", info, raw)]))
    assert not list(empty([("VCPUOP_register_vcpu_info", info, raw)]))


@pytest.mark.parametrize(("only", "image"), [("cpu_up", True), ("yield", False)])
def test_a_scenario_that_does_not_run_at_this_level(only: str, image: bool) -> None:
    from tests.emu.images import sample_image

    with pytest.raises(EmuError, match=f"'{only}' does not run"):
        if image:
            emulate_image(sample_image(), PROFILE, only=only)
        else:
            emulate_object(mini.core(), PROFILE, only=only)
