# SPDX-License-Identifier: GPL-2.0-or-later
"""What later trees do otherwise, on the miniature core: tables, calls, locks, names of fields."""

from __future__ import annotations

import pytest

from emu.elf import parse_elf, place
from emu.errors import TruncatedElf
from emu.findings.verdict import ObjectReport, Outcome
from emu.object import emulate_object
from emu.object.alternatives import apply_alternatives
from emu.profile import parse_profile
from emu.spaces import LinearAddr
from tests.emu import mini
from tests.emu.build import FLAGS, assemble, compile_source

BASE = LinearAddr(0xFFFF82D080200000)
PAGE_CALL = """        "lea hypercall_page(%%rip), %%rcx\\n\\t"
        "add %%rcx, %%rax\\n\\t"
        "call *%%rax"
"""
IN_PLACE = PAGE_CALL, '        "shr $5, %%eax\\n\\tvmcall"\n'
ALTERNATIVE_2 = (
    PAGE_CALL,
    r"""        "shr $5, %%eax\n\t"
        "1: call early_hypercall\n\t"
        "2: .pushsection .altinstructions, \"a\"\n\t"
        ".long 1b - ., 3f - .; .word 0x8001; .byte 2b - 1b, 3, 0, 0\n\t"
        ".long 1b - ., 4f - .; .word 0x0001; .byte 2b - 1b, 3, 0, 0\n\t"
        ".popsection; .pushsection .altinstr_replacement, \"ax\"\n\t"
        "3: ud2; nop\n\t"
        "4: vmcall\n\t"
        ".popsection"
""",
)
RWLOCK = (
    (
        "typedef struct { u32 ticket; } spinlock_t;",
        """typedef struct { u32 ticket; } spinlock_t;
typedef struct { struct { int counter; } cnts; } rwlock_t;
void queue_write_lock_slowpath(rwlock_t *lock);
static inline void write_lock(rwlock_t *lock)
{
    if ( lock->cnts.counter )
        queue_write_lock_slowpath(lock);
    *(volatile int *)&lock->cnts.counter = 0x100;
}
static inline void write_unlock(rwlock_t *lock)
{
    *(volatile int *)&lock->cnts.counter = 0;
}""",
    ),
    ("    spinlock_t event_lock;", "    rwlock_t event_lock;"),
)
LET_GO = "        write_unlock(&d->event_lock);"
ALLOCATE = "rc = evtchn_allocate_port(d, op.port);"


def same_results(report: ObjectReport) -> bool:
    """As the core that calls by the page, of which nothing is wrong."""
    usual = mini.report()
    assert usual.outcome is Outcome.PASSED
    return [(r.scenario, r.mode, r.outcome, r.result) for r in report.results] == [
        (r.scenario, r.mode, r.outcome, r.result) for r in usual.results
    ]


def rwlocked(*changes: tuple[str, str]) -> bytes:
    text = mini.source(*RWLOCK)
    text = text.replace("_spin_lock(&d->event_lock)", "write_lock(&d->event_lock)")
    text = text.replace("_spin_unlock(&d->event_lock)", "write_unlock(&d->event_lock)")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return compile_source(text)


def judge(core: bytes, only: str | None = None) -> ObjectReport:
    return emulate_object(core, mini.profile(), only=only)


def messages(report: ObjectReport, invariant: str) -> list[str]:
    return [finding.message for finding in mini.findings(report, invariant)]


@pytest.mark.parametrize("change", [IN_PLACE, ALTERNATIVE_2])
def test_hypercalls_in_place(change: tuple[str, str]) -> None:
    """By vmcall; and by a stub that an alternative replaces, with one for other processors before it."""
    assert same_results(mini.report(change))


def test_a_finding_names_where_l0_was_called_in_place() -> None:
    """``op.port`` that nobody read: L0 is asked for something else than the guest asked for."""
    lost = ("if ( copy_from_user(&op, arg, sizeof(op)) )\n            return -EFAULT;", "")
    assert mini.findings(mini.report(IN_PLACE, lost), "stack contents")


def applied(table: str, *, count: int) -> bytes:
    """The first bytes of code under a table of alternatives."""
    source = f"""
        .text
old:    .fill 8, 1, 0xf4
        ret
target: ret
        .section .altinstructions, "a"
{table}
        .section .altinstr_replacement, "ax"
        .fill 3, 1, 0xcc
new:    nopw (%rax)
        .byte 0xe8
        .long target - . - 4
"""
    image = place(parse_elf(assemble(source)), BASE, lambda name: BASE)
    assert apply_alternatives(image) == count
    return image.bytes_at(image.segments[0].address, 10)


NOPW = b"\x66\x0f\x1f\x00"
"""nopw (%rax)"""


def test_an_entry_of_4_10() -> None:
    code = applied(".long old - ., new + 1 - .; .word 1; .byte 4, 3", count=1)
    assert code[:5] == NOPW[1:] + b"\x90\xf4"


def test_padding_makes_room() -> None:
    code = applied(".long old - ., new - .; .word 1; .byte 2, 4, 3, 0", count=1)
    assert code[:6] == NOPW + b"\x90\xf4"


def test_a_replacement_for_processors_without_a_feature() -> None:
    code = applied(".long old - ., new - .; .word 0x8001; .byte 4, 4, 0, 0", count=0)
    assert code[:8] == b"\xf4" * 8


def test_of_two_for_one_place_the_last_one_counts() -> None:
    both = """
        .long old - ., new - .; .word 1; .byte 4, 4, 0, 0
        .long old - ., new + 4 - .; .word 2; .byte 5, 5, 0, 0"""
    assert applied(both, count=2)[0] == 0xE8


def test_a_call_goes_where_it_went() -> None:
    code = applied(".long old - ., new + 4 - .; .word 1; .byte 5, 5, 0, 0", count=1)
    assert code[0] == 0xE8
    assert 5 + int.from_bytes(code[1:5], "little", signed=True) == 9  # target, behind ret


@pytest.mark.parametrize(
    "table",
    [
        ".long old - ., new - .; .word 1; .byte 4, 4, 0",
        ".long old - ., new - .; .word 1",
        ".long old - ., 0; .word 1; .byte 4, 4",
        ".long 0, 0; .word 1; .byte 4, 4",
    ],
)
def test_a_table_that_is_none(table: str) -> None:
    """An odd number of relocations, or an entry that is too short to be one."""
    if ".byte 4, 4, 0" in table:
        table += "\n.byte 0, 0, 0, 0, 0\n.long old - ., new - ."
    with pytest.raises(TruncatedElf, match="altinstructions"):
        applied(table, count=1)


def test_thunks_are_code_and_no_callees() -> None:
    """Returns and indirect jumps through thunks, as gcc makes them; an endbr64 before each function."""
    flags = tuple(flag for flag in FLAGS if not flag.startswith("-fcf-protection"))
    more = ("-fcf-protection=branch", "-mindirect-branch=thunk-extern", "-mmanual-endbr")
    text = mini.source(("long pv_shim_event_channel_op", "long event_channel_op"))
    text += """
static long (*volatile through)(int, void *) = event_channel_op;
__attribute__((cf_check)) long pv_shim_event_channel_op(int cmd, void *arg)
{
    return through(cmd, arg);
}
"""
    core = compile_source(text, flags=(*flags, *more, "-mfunction-return=thunk-extern"))
    names = parse_elf(core).undefined()
    assert "__x86_return_thunk" in names
    assert any(name.startswith("__x86_indirect_thunk_") for name in names)
    assert same_results(judge(core))


def test_a_lock_that_is_taken_in_place() -> None:
    assert same_results(judge(rwlocked()))


def test_a_lock_that_is_not_taken_in_place() -> None:
    core = rwlocked(("write_lock(&d->event_lock);\n        rc = evtchn", "rc = evtchn"))
    assert "evtchn_allocate_port is called without domain.event_lock" in messages(
        judge(core, "alloc_unbound/64"), "locks"
    )


def test_a_lock_taken_in_place_and_kept() -> None:
    core = rwlocked(("write_unlock(&d->event_lock);", ""))
    assert "domain.event_lock is still held at return" in messages(
        judge(core, "alloc_unbound/64"), "locks"
    )


def test_a_lock_that_is_let_go_in_place_before_the_port_is_put_to_use() -> None:
    use = "        if ( !rc )\n            channel(d, op.port)->state = ECS_RESERVED;\n"
    core = rwlocked((use + f"{LET_GO}\n", f"{LET_GO}\n{use}"))
    assert messages(judge(core, "alloc_unbound/64"), "locks") == [
        "port 12 is found to be free under domain.event_lock, and put to use after that was let go"
    ]


def test_a_lock_taken_in_place_twice() -> None:
    again = f"write_lock(&d->event_lock);\n        {ALLOCATE}"
    core = rwlocked((ALLOCATE, again))
    assert "deadlock: domain.event_lock is already held" in messages(
        judge(core, "alloc_unbound/64"), "locks"
    )


def test_a_field_of_another_name() -> None:
    """``arch.pv.is_32bit``, as later trees have it."""
    fields = "u8 is_32bit_pv; u32 hv_compat_vstart;"
    within = "struct { u8 is_32bit; u32 hv_compat_vstart; } pv;"
    assert same_results(mini.report((fields, within), ("arch.is_32bit_pv", "arch.pv.is_32bit")))


def test_the_aliases_are_what_finds_it() -> None:
    moved = ("struct arch_domain { u8 is_32bit_pv;", "struct arch_domain { u8 elsewhere;")
    core = mini.core(moved, ("arch.is_32bit_pv", "arch.elsewhere"))
    text = (mini.profile_text()).replace('"arch.pv.is_32bit"', '"arch.elsewhere"')
    known = emulate_object(core, parse_profile(text.encode(), "test"), only="send/compat")
    assert known.outcome is Outcome.PASSED
    assert judge(core, "send/compat").outcome is Outcome.ABSENT


def test_a_bug_of_one_byte() -> None:
    """udb, of which later trees make their BUG."""
    short = ('__asm__ volatile ("ud2")', '__asm__ volatile (".byte 0xd6")')
    report = mini.report(short, (ALLOCATE, "BUG();"), only="alloc_unbound/64")
    (finding,) = mini.findings(report, "crash")
    assert finding.message == "BUG"
