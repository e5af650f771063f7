# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspend and resume, and what else needs more of the world than a guest's structure."""

from __future__ import annotations

import pytest

from emu.findings.verdict import Outcome
from emu.object import Depth, emulate_object
from tests.emu import mini, resume
from tests.emu.build import compile_source

UNPAUSE = "            vcpu_unpause_by_systemcontroller(v);\n    return rc;"
PAUSE = "            vcpu_pause_by_systemcontroller(v);\n    rc = "
FREED_AT_ONCE = "    if ( rc )\n        goto out;\n"
RESETS = "    for ( v = self; v; v = v->next_in_list )\n        while ( (v->pause_flags & 2)"
CANCELLED = "    if ( rc )\n        goto out;\n    hypervisor_resume();"


def test_a_core_that_resumes() -> None:
    report = resume.report(depth="explore")
    suspended = [r for r in report.results if r.scenario.startswith(("suspend", "cpu_"))]
    notes = {r.scenario: r.note for r in suspended if r.outcome is not Outcome.PASSED}
    assert notes == {
        "suspend with a page for end-of-interrupt": (
            "no structure of the object has domain.arch.pirq_eoi_map"
        )
    }
    assert report.findings == ()


RIGHTS = """
int rangeset_add_range(void *set, u64 first, u64 last);
int rangeset_remove_range(void *set, u64 first, u64 last);
static u64 rights;

struct sched_shutdown { u32 reason; };
"""
PERMIT = "    if ( reason == 2 )\n        rangeset_add_range(&rights, 0x12340, 0x12340);\n"
WITHDRAW = "    rangeset_remove_range(&rights, 0, ~0ul);\n    xfree(grant_frames);\n"


@pytest.mark.parametrize("withdraws", [True, False])
def test_rights_that_outlive_what_they_were_for(withdraws: bool) -> None:
    """Of the guest to frames that L0 had mapped for it."""
    store = "    store = param(1);"
    changes = [("struct sched_shutdown { u32 reason; };\n", RIGHTS), (store, PERMIT + store)]
    if withdraws:
        changes.append(("    xfree(grant_frames);\n", WITHDRAW))
    report = resume.report(*changes, only="suspend with grant frames")
    said = "the guest keeps access to frames after a suspend, and what it was for is gone"
    found = [finding.message for finding in mini.findings(report, "state after suspend")]
    assert found == ([] if withdraws else [said])


def test_a_core_that_does_not_resume_lacks_it() -> None:
    result = mini.result(mini.report(only="suspend cancelled"), "suspend cancelled")
    assert (result.outcome, result.note) == (
        Outcome.ABSENT,
        "the object has no pv_shim_shutdown",
    )
    forwards = ("    store = param(1);", "    if ( reason == 2 ) return 0;\n    store = param(1);")
    without = resume.source(forwards, ("    hypervisor_resume();\n", ""))
    core = compile_source(without)
    result = mini.result(
        emulate_object(core, mini.profile(), only="suspend cancelled"), "suspend cancelled"
    )
    assert (result.outcome, result.note) == (
        Outcome.ABSENT,
        "the object does not call hypervisor_resume",
    )


@pytest.mark.parametrize(
    ("only", "invariant", "message", "change"),
    [
        (
            "cpu_down",
            "vcpus",
            "vcpu 1 is put to sleep before it is marked down",
            (
                "        v->pause_flags |= 2;\n        vcpu_sleep_sync(v);",
                "        vcpu_sleep_sync(v);\n        v->pause_flags |= 2;",
            ),
        ),
        (
            "cpu_up of a vcpu that was down",
            "vcpus",
            "vcpu 1 is woken while it is marked down",
            (
                "        v->pause_flags &= ~2ul;\n        vcpu_wake(v);",
                "        vcpu_wake(v);\n        v->pause_flags &= ~2ul;",
            ),
        ),
        (
            "suspend with the same ports afterwards",
            "expectation",
            "time_resume is called before hypervisor_resume, and should be behind it",
            (CANCELLED, CANCELLED.replace("    hyper", "    time_resume();\n    hyper")),
        ),
        (
            "suspend with the same ports afterwards",
            "expectation",
            "SCHEDOP_shutdown is called before time_suspend, and should be behind it",
            (CANCELLED, f"    time_suspend();\n{CANCELLED}"),
        ),
        (
            "suspend with the same ports afterwards",
            "expectation",
            "stop_timer is called, and not for vcpu 1",
            (RESETS, f"    stop_timer(self);\n{RESETS}"),
        ),
        (
            "suspend cancelled",
            "state after suspend",
            "port 12 of the core was in state 5, and is not there after a cancelled suspend",
            (FREED_AT_ONCE, f"    evtchn_free(d, channel(d, 12));\n{FREED_AT_ONCE}"),
        ),
        (
            "suspend cancelled",
            "state after suspend",
            "port 12 of L0 was unbound on vcpu 0, and is not there after a cancelled suspend",
            (FREED_AT_ONCE, f"    give_back(12, 0);\n{FREED_AT_ONCE}"),
        ),
        (
            "suspend cancelled",
            "state after suspend",
            "domain.domain_id was 0x0, and is 0x7 after a cancelled suspend",
            (FREED_AT_ONCE, f"    d->domain_id = 7;\n{FREED_AT_ONCE}"),
        ),
        (
            "suspend cancelled",
            "state after suspend",
            "the mask in L0's shared page was set for no port, and is set for 65 after a cancelled suspend",
            (FREED_AT_ONCE, f"    shared->evtchn_mask[1] |= 2;\n{FREED_AT_ONCE}"),
        ),
        (
            "suspend cancelled",
            "vcpus",
            "vcpu 1 is still paused at return",
            (UNPAUSE, "            (void)v;\n    return rc;"),
        ),
        (
            "suspend cancelled",
            "vcpus",
            "vcpu 1 is unpaused, and was not paused",
            (PAUSE, "            (void)v;\n    rc = "),
        ),
        (
            "suspend",
            "locks",
            "evtchn_allocate_port is called without domain.event_lock",
            (PAUSE, "            (void)v;\n    rc = "),
        ),
        (
            "suspend cancelled",
            "resume",
            "the shim resumes itself, and was not suspended",
            (CANCELLED, "    hypervisor_resume();\n    if ( rc )\n        goto out;"),
        ),
        (
            "suspend",
            "resources",
            "a page of the guest is still mapped at return",
            ("    unmap_domain_page(si);\n", "    (void)unmap_domain_page;\n"),
        ),
        (
            "suspend",
            "memory",
            "frame 0x54322 is mapped, which nobody asked for",
            ("map_domain_page(d->arch.is_32bit_pv ? (u32)rdx", "map_domain_page(d ? (u32)rdx + 1"),
        ),
        (
            "suspend",
            "memory",
            "frame 0xdeadbeef00054321 is mapped, which nobody asked for",
            ("d->arch.is_32bit_pv ? (u32)rdx : rdx", "rdx"),
        ),
        (
            "suspend with a far port",
            "memory",
            "frame 0x54321 is mapped, which nobody asked for",
            ("d->arch.is_32bit_pv ? (u32)rdx : rdx", "(u32)rdx"),
        ),
        (
            "suspend",
            "memory",
            "0xffff82c000000010 is unmapped, where no page of the guest is",
            ("unmap_domain_page(si);", "unmap_domain_page(si->magic + 16);"),
        ),
        (
            "suspend",
            "expectation",
            "domain.domain_id is 0x0, and should be 0x1",
            ("    d->domain_id = own_domid();\n", "    (void)own_domid;\n"),
        ),
        (
            "suspend",
            "expectation",
            "port 5 is in state 1, and should be free",
            ("            evtchn_free(d, channel(d, port));", "            (void)port;"),
        ),
        (
            "suspend with grant frames",
            "resources",
            "page 0x12340 is neither given back nor remembered",
            ("hypervisor_free_unused_page(grant_frames[i]);", "(void)grant_frames;"),
        ),
        (
            "suspend",
            "crash",
            "BUG (when vcpu_reset fails)",
            ("if ( rc != -85 )", "if ( rc )"),
        ),
        (
            "suspend with grant frames",
            "expectation",
            "xfree is not called",
            ("    xfree(grant_frames);\n", ""),
        ),
        (
            "suspend with the same ports afterwards",
            "expectation",
            "the start info page begins with b'xen-3.0-x86_32', and should with b'xen-3.0-x86_64'",
            ('"64");', '"32");'),
        ),
        (
            "suspend/compat",
            "expectation",
            "the start info page has store_evtchn = 0x0, not 0x9",
            ("        xlat_start_info(si, 0);", "        (void)xlat_start_info;"),
        ),
        (
            "suspend",
            "crash",
            "snprintf of 'xen-3.0-x86_%p', which has a conversion that is not modelled",
            ("x86_%s", "x86_%p"),
        ),
        (
            "shutdown by another vcpu",
            "crash",
            "BUG",
            (
                "    if ( reason != 2 )",
                "    if ( cpu_info()->processor_id )\n        BUG();\n    if ( reason != 2 )",
            ),
        ),
        (
            "cpu_up of a vcpu that is not initialised",
            "expectation",
            "the result is 0, not -EINVAL",
            ("    if ( !v->is_initialised )\n        return -EINVAL;\n", ""),
        ),
        (
            "cpu_up of a vcpu that was down",
            "expectation",
            "vcpu1.pause_flags is 0x2, and should be 0x0",
            ("        v->pause_flags &= ~2ul;\n", ""),
        ),
        (
            "cpu_up",
            "expectation",
            "cpu_up_helper is called",
            ("    if ( !(cpu_online_map & 1ul << v->vcpu_id) )\n    {", "    {"),
        ),
        (
            "cpu_down of an offline processor",
            "expectation",
            "cpu_down_helper is called",
            ("    if ( cpu_online_map & 1ul << v->vcpu_id )\n        cpu_down", "    cpu_down"),
        ),
        (
            "cpu_down",
            "expectation",
            "cpu_down_helper is called before vcpu_sleep_sync, and should be behind it",
            (
                "    if ( !(v->pause_flags & 2) )\n    {",
                "    cpu_down_helper((void *)(u64)v->vcpu_id);\n    cpu_online_map = 0;\n"
                "    if ( !(v->pause_flags & 2) )\n    {",
            ),
        ),
    ],
)
def test_a_core_that_resumes_wrongly(
    only: str, invariant: str, message: str, change: tuple[str, str]
) -> None:
    depth: Depth = "explore" if "(when" in message else "scenarios"
    found = mini.findings(resume.report(change, depth=depth, only=only), invariant)
    assert message in {finding.message for finding in found}
