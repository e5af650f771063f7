# SPDX-License-Identifier: GPL-2.0-or-later
"""Each invariant: a core that keeps it, and a core that breaks nothing else.

The good core is one text for all; each row changes one piece of it.
"""

from __future__ import annotations

import pytest

from emu.findings.verdict import Outcome
from emu.object.observed import AFTER_RETURN
from tests.emu import mini

Change = tuple[str, str]

UNLOCK = "        _spin_unlock(&d->event_lock);\n        if ( rc )"
ALLOCATE = "        rc = evtchn_allocate_port(d, op.port);\n"
LOCK = "        _spin_lock(&d->event_lock);\n" + ALLOCATE
RESERVE = "            channel(d, op.port)->state = ECS_RESERVED;\n"
CLAIM = "        if ( !rc )\n" + RESERVE
LET_GO = "        _spin_unlock(&d->event_lock);\n"
RESTORE = "_spin_unlock_irqrestore(&d->event_lock, flags);"
IRQ = (
    (
        "void _spin_unlock(spinlock_t *lock);",
        "void _spin_unlock(spinlock_t *lock);\n"
        "u64 _spin_lock_irqsave(spinlock_t *lock);\n"
        "void _spin_unlock_irqrestore(spinlock_t *lock, u64 flags);",
    ),
    (LOCK, "        u64 flags = _spin_lock_irqsave(&d->event_lock);\n" + ALLOCATE),
    (UNLOCK, f"        {RESTORE}\n        if ( rc )"),
)
COPY_BACK = "if ( !rc && __copy_to_user_ll(arg, &op, sizeof(op)) )\n            rc = -EFAULT;\n"
QUERY = "struct gnttab_query_size size = { .dom = 0x7ff0 };\n    long rc;\n"
PUT = "rc = put_guest(grant_frames[i], &op.frame_list[i]);"
FREE = "        evtchn_free(d, channel(d, op.port));"
FREE_CHANNEL = "            return rc;\n        _spin_lock(&d->event_lock);\n" + FREE
LEAK = 'struct { u64 a, b; } leak; __asm__ ("" : "=m" (leak)); '
STATUS = "rc = handled(d, op.port) ? evtchn_status(&op) : event_op(5, &op);"
SEND = "return event_op(4, &op);"
NO_FRAMES = "    if ( !grant_frames )\n        return -ENOMEM;\n"
RANGE = "((u64)p + size > 0x800000000000ul && (u64)p < 0xffff880000000000ul) ||\n           "
STALE = """
static void __attribute__((noinline)) fill(void)
{
    u32 x[8];

    for ( int i = 0; i < 8; i++ )
        x[i] = 12;
    __asm__ volatile ("" : : "m" (x));
}

static u32 __attribute__((noinline)) stale(void)
{
    u32 x[8];

    __asm__ volatile ("" : "=m" (x));
    return x[3];
}

long pv_shim_event_channel_op("""
CPU_INFO = "(((struct cpu_info *)(((u64)__builtin_frame_address(0) | (STACK_SIZE - 1)) + 1)) - 1)"
FREE_PAGE = "        hypervisor_free_unused_page(xatp.gpfn);\n        return rc;"


def _row(invariant: str, words: str, *changes: Change) -> tuple[str, str, tuple[Change, ...]]:
    return invariant, words, changes


BROKEN: list[tuple[str, str, tuple[Change, ...]]] = [
    _row("locks", "domain.event_lock is still held at return", (UNLOCK, "        if ( rc )")),
    _row(
        "locks",
        "evtchn_allocate_port is called without domain.event_lock",
        (LOCK, ALLOCATE.replace(";", "; _spin_lock(&d->event_lock);")),
    ),
    _row(
        "locks",
        "deadlock: domain.event_lock is already held",
        (LOCK, "        _spin_lock(&d->event_lock);\n" + LOCK),
    ),
    _row(
        "locks",
        "unlock of domain.event_lock, which is not held",
        (SEND, "_spin_unlock(&d->event_lock); " + SEND),
    ),
    _row(
        "locks",
        "deadlock: evtchn_status takes domain.event_lock",
        ("        rc = handled(d", "        _spin_lock(&d->event_lock);\n        rc = handled(d"),
    ),
    _row(
        "locks",
        "port 12 is found to be free under domain.event_lock, and put to use after that was let go",
        (CLAIM, LET_GO + CLAIM + LOCK.partition("\n")[0] + "\n"),
    ),
    _row(
        "locks",
        "port 12 is found to be free under domain.event_lock, and put to use after that was let go",
        (CLAIM, LET_GO + "_spin_lock(&d->event_lock);\n" + CLAIM),
    ),
    _row(
        "locks",
        "interrupts are off at return",
        *IRQ,
        (RESTORE, "(void)flags; _spin_unlock(&d->event_lock);"),
    ),
    _row(
        "locks",
        "interrupts are off at return",
        *IRQ,
        (RESTORE, RESTORE.replace("flags", "flags & 0")),
    ),
    _row("locks", "interrupts are off at return", (SEND, '__asm__ volatile ("cli"); ' + SEND)),
    _row("SMAP", "EFLAGS.AC is set at return", ('"3: clac', '"3: nop')),
    _row("SMAP", "write to guest memory at 0xa01000 with EFLAGS.AC clear", ('"1: stac', '"1: nop')),
    _row(
        "SMAP",
        "EVTCHNOP_bind_vcpu is handed to L0 with a pointer to guest",
        ("event_op(8, &op)", "event_op(8, arg)"),
    ),
    _row(
        "failure lost",
        "L0 XENMEM_add_to_physmap failed, and the result is 0",
        (FREE_PAGE, FREE_PAGE.replace("rc;", "0;")),
    ),
    _row(
        "resources",
        "L0's port 12, opened in this call, stays open",
        ("return give_back(op.port, rc);", "return rc;"),
    ),
    _row(
        "resources",
        "page 0x12340 is neither given back nor remembered",
        (FREE_PAGE, "        return rc;"),
    ),
    _row(
        "resources",
        "32 allocated bytes are neither freed nor remembered",
        (
            NO_FRAMES,
            "    if ( size.max_nr_frames > 3 )\n        return grant_frames = 0, -ENOMEM;\n",
        ),
    ),
    _row(
        "resources",
        "page 0x12340 is given back while L0 still has it mapped",
        (
            "    grant_frames[i] = xatp.gpfn;",
            "    hypervisor_free_unused_page(grant_frames[i] = xatp.gpfn);",
        ),
    ),
    _row(
        "resources",
        "page 0x12341 is given back, but was not taken",
        (FREE_PAGE, FREE_PAGE.replace("xatp.gpfn)", "xatp.gpfn + 1)")),
    ),
    _row(
        "resources",
        "page 0x12340 is kept, and L0 has nothing mapped there",
        (FREE_PAGE, "        grant_frames[i] = xatp.gpfn;\n        return rc;"),
    ),
    _row(
        "error code",
        "alloc_unused_page failed with -ENOMEM, and the result is -EINVAL",
        ("        return rc;\n    rc = memory_op", "        return -EINVAL;\n    rc = memory_op"),
    ),
    _row(
        "guest buffer",
        "4 bytes are read beyond the 4 of the guest's structure",
        (SEND, "u64 more; copy_from_user(&more, arg, sizeof(more)); " + SEND),
    ),
    _row(
        "guest buffer",
        "8 bytes are written beyond the 16 of the guest's list",
        (PUT, "rc = -(__copy_to_user_ll(&op.frame_list[i], &grant_frames[i], 16) != 0);"),
    ),
    _row(
        "refusal",
        "L0 refused, and 24 bytes are written to the guest (0xa00100)",
        (COPY_BACK, COPY_BACK.replace("!rc && ", "")),
    ),
    _row(
        "refusal",
        "the result is -EBUSY, and 8 bytes are written to the guest (0xa00100)",
        (
            "            return give_back(op.port, rc);\n",
            "            return __copy_to_user_ll(arg, &op, sizeof(op)), give_back(op.port, rc);\n",
        ),
    ),
    _row(
        "shared page",
        "port 13 is masked in L0's shared page, which nobody asked for",
        ("1ul << op.port % 64", "3ul << op.port % 64"),
    ),
    _row(
        "ports agree",
        "port 12 is not open in L0, and is in use in the core",
        (
            "        if ( !rc )\n            channel(d, op.port)->state",
            "        channel(d, op.port)->state",
        ),
    ),
    _row(
        "stack contents",
        "the sequence of L0 calls depends on what the stack held",
        ("long pv_shim_event_channel_op(", STALE.lstrip()),
        (SEND, "fill(); pv_console_evtchn(); if ( stale() != 0 ) " + SEND + " return 0;"),
    ),
    _row("out fields", "L0 answered status = 2, the guest sees untouched", (COPY_BACK, "")),
    _row(
        "translation",
        "the guest asked for vcpu = 1, L0 is asked for 12",
        (
            "        rc = event_op(8, &op);",
            "        op.vcpu = op.port;\n        rc = event_op(8, &op);",
        ),
    ),
    _row(
        "ports agree",
        "port 12 was opened in L0 and is free in the core",
        (RESERVE, "            ;\n"),
    ),
    _row(
        "ports agree",
        "port 12 was closed in L0 and is still in use",
        (FREE_CHANNEL, FREE_CHANNEL[: -len(FREE)]),
    ),
    _row(
        "memory",
        "guest memory is changed at 0xa00104",
        (SEND, "op.port = 99; __copy_to_user_ll((char *)arg + 4, &op, 4); " + SEND),
    ),
    _row("memory", "the per-processor structure", (SEND, CPU_INFO + "->processor_id = 5; " + SEND)),
    _row(
        "memory",
        "the heap is overwritten beyond its last allocation",
        (
            "    nr_grant_list = size",
            "    grant_frames[size.max_nr_frames] = 1;\n    nr_grant_list = size",
        ),
    ),
    _row(
        "memory",
        "hypervisor memory that belongs to nobody is overwritten",
        (RANGE, ""),
    ),
    _row(
        "guest pointers",
        "8 bytes for the guest are written to 0xffff",
        (RANGE, ""),
        (PUT, "rc = __copy_to_user_ll(&op.frame_list[i], &grant_frames[i], 8) ? -EFAULT : 0;"),
    ),
    _row(
        "stack contents",
        "nr_frames of GNTTABOP_query_size (L0 call 0) depends on what the stack held",
        (QUERY, "struct gnttab_query_size size;\n    long rc;\n\n    size.dom = 0x7ff0;\n"),
    ),
    _row(
        "stack contents",
        "copy 0 to the guest depends on what the stack held",
        (SEND, LEAK + "__copy_to_user_ll(arg, &leak, 16); " + SEND),
    ),
    _row(
        "memory",
        "free of",
        (NO_FRAMES, NO_FRAMES + "    xfree(grant_frames);\n    xfree(grant_frames);\n"),
    ),
    _row("crash", "BUG", (SEND, "BUG(); " + SEND)),
    _row(
        "crash",
        "read of an address that is not mapped (0x10)",
        (SEND, "return *(volatile u64 *)0x10;"),
    ),
    _row(
        "crash",
        "write to an address that is not mapped or read-only (0x10)",
        (SEND, "*(volatile u64 *)0x10 = 1; " + SEND),
    ),
    _row("crash", "read-only (0xb00000)", ('".long 2b - ., 4b - .', '".long 3b - ., 4b - .')),
    _row("crash", "jump into nowhere (0x1234)", (SEND, "return ((long (*)(void))0x1234ul)();")),
    _row("crash", "call into the middle of hypercall 32", ("= nr * 32;", "= nr * 32 + (a == 4);")),
    _row("crash", "halted", (SEND, '__asm__ volatile ("hlt"); ' + SEND)),
    _row("crash", "exception 128", (SEND, '__asm__ volatile ("int $0x80"); ' + SEND)),
    _row(
        "crash",
        "a callee was given a bad pointer",
        (SEND, "copy_from_user((void *)0x10, arg, 4); " + SEND),
    ),
    _row("budget", "did not end within", (SEND, "for ( ; ; );")),
    _row("expectation", "consoled_guest_rx is not called", ("pv_console && ", "!pv_console && ")),
    _row(
        "expectation",
        "the result is -EINVAL, not -EFAULT",
        ("* 8ul) )\n            return -EFAULT;", "* 8ul) )\n            return -EINVAL;"),
    ),
    _row(
        "expectation", "frame 1 of the guest's list", ("&op.frame_list[i]);", "&op.frame_list[0]);")
    ),
    _row(
        "expectation",
        "port 12 notifies vcpu 0, not 1",
        ("->notify_vcpu_id = op.vcpu;", "->notify_vcpu_id = 0;"),
    ),
    _row(
        "expectation",
        "the result is -EFAULT, not 0",
        ("u32 copy_from_user(", "u64 copy_from_user("),
    ),
]


@pytest.mark.parametrize("depth", ["scenarios", "explore"])
def test_a_good_core_passes(depth: str) -> None:
    report = mini.report(depth="explore" if depth == "explore" else "scenarios")
    assert report.findings == ()
    assert report.outcome is Outcome.PASSED
    assert {"EVTCHNOP_close", "EVTCHNOP_bind_vcpu", "GNTTABOP_setup_table"} <= mini.handled(report)


def test_an_answer_that_some_calls_lack() -> None:
    """The scenarios ask for a port's state; inputs that were drawn ask others."""
    report = mini.report(
        (STATUS, f"if ( op.dom == 0 )\n            return 0;\n        {STATUS}"), depth="explore"
    )
    drawn = [f.message for f in report.findings if f.drawn]
    assert any(
        said.startswith("the result is 0, and the guest sees status untouched") for said in drawn
    )


def test_a_lock_that_keeps_interrupts_as_they_were() -> None:
    report = mini.report(*IRQ, depth="explore")
    assert report.findings == ()
    assert report.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("invariant", "words", "changes"), BROKEN, ids=[f"{i}: {w}" for i, w, _ in BROKEN]
)
def test_a_broken_core_is_found(invariant: str, words: str, changes: tuple[Change, ...]) -> None:
    report = mini.report(*changes)
    assert report.outcome is Outcome.FAILED
    messages = [finding.message for finding in mini.findings(report, invariant)]
    assert any(words in message for message in messages), messages


ENTRY = '__asm__(".globl pv_shim_event_channel_op; .type pv_shim_event_channel_op, @function\\n"'
BY_HAND = """
struct vcpu { int vcpu_id; }; struct vcpu used;
__asm__(".globl pv_shim_event_channel_op\\n.type pv_shim_event_channel_op, @function\\n"
        "pv_shim_event_channel_op:\\n%s\\nret\\n"
        ".size pv_shim_event_channel_op, . - pv_shim_event_channel_op");
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("mov $1, %rbx\\nmov $-95, %rax", "rbx is not preserved"),
        ("mov $1, %r15\\nmov $-95, %rax", "r15 is not preserved"),
        (
            "mov (%rsp), %rcx\\nadd $24, %rsp\\nmov %rcx, (%rsp)\\nmov $-95, %rax",
            "the stack pointer is off by 24",
        ),
    ],
)
def test_registers(body: str, message: str) -> None:
    from emu.object import emulate_object
    from tests.emu.build import compile_source

    report = emulate_object(compile_source(BY_HAND % body), mini.profile(), only="set_priority")
    assert message in [finding.message for finding in mini.findings(report, "registers")]


def test_every_invariant_has_a_broken_core() -> None:
    assert {i.name for i in AFTER_RETURN} - {name for name, _, _ in BROKEN} == {
        "registers",
        "vcpus",  # test_resume.py
        "state after suspend",  # the same
        "reserved fields",  # test_asking.py
        "asked for nothing",
    }
    assert all(invariant.reason for invariant in AFTER_RETURN)


def test_a_finding_says_where_and_how_to_see_it_again() -> None:
    change = (SEND, "if ( op.port == 12 )\n            BUG();\n        " + SEND)
    line = (
        mini.source(change)[: mini.source(change).index("BUG();\n        return event_op(4")].count(
            "\n"
        )
        + 1
    )
    finding = mini.report(change, only="send").findings[0]
    assert finding.where.startswith("pv_shim_event_channel_op+0x")
    assert finding.where.endswith(f"(core.c:{line})")
    assert finding.scenario == finding.rerun == "send/64"
    again = mini.report(change, only=finding.rerun)
    assert again.findings == (finding,)


def test_the_calls_before_a_finding_are_told() -> None:
    finding = mini.findings(
        mini.report((UNLOCK, "        if ( rc )"), only="alloc_unbound"), "locks"
    )[0]
    assert [str(call) for call in finding.l0_before] == [
        "EVTCHNOP_alloc_unbound(dom=0x7ff0, remote_dom=3, port=0xc) = 0"
    ]


def test_what_a_core_may_lack_is_absent_and_not_wrong() -> None:
    """A series may add the mask later; the report tells having it from not having it."""
    mask = "        shared->evtchn_mask[op.port / 64] |= 1ul << op.port % 64;\n"
    late = ("        rc = event_op(3, &op);\n", "        rc = event_op(3, &op);\n" + mask)
    assert mini.result(mini.report(), "close masks port 77").outcome is Outcome.PASSED
    for changes in ([(mask, "")], [(mask, ""), late]):
        result = mini.result(mini.report(*changes), "close masks port 77")
        assert result.outcome is Outcome.ABSENT
        assert result.note == "port 77 is not masked in L0's shared page before L0 is asked"
        assert result.findings == ()


def test_a_page_with_a_number_beyond_32_bits() -> None:
    narrow = ("    grant_frames[i] = xatp.gpfn;", "    grant_frames[i] = (u32)xatp.gpfn;")
    name = "setup_table page above 16 TiB"
    assert mini.result(mini.report(), name).outcome is Outcome.PASSED
    assert mini.result(mini.report(narrow), name).outcome is Outcome.FAILED


def test_vcpus_that_are_not_there() -> None:
    """One within the limit that was never created, and what lies behind the array."""
    check = "if ( op.vcpu >= d->max_vcpus || !d->vcpu[op.vcpu] )\n            return -2;\n        "
    ask = "rc = event_op(8, &op);"
    for words, lost in (
        ("", ()),
        (" || !d->vcpu[op.vcpu]", ("uncreated",)),
        ("op.vcpu >= d->max_vcpus || ", ("first absent", "absent")),
    ):
        report = mini.report((ask, check.replace(words, "", 1) + ask))
        for which in ("uncreated", "first absent", "absent"):
            wanted = Outcome.ABSENT if which in lost else Outcome.PASSED
            assert mini.result(report, f"bind_vcpu {which} vcpu").outcome is wanted
