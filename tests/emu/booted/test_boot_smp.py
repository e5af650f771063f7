# SPDX-License-Identifier: GPL-2.0-or-later
"""Two processors: whose turn it is, what passes between them, and what they do wrong together."""

from __future__ import annotations

import json

import pytest

from emu.booted import turns as run
from emu.booted.emulate import emulate_image
from emu.booted.ending import BOOT, Bounds
from emu.cpu import watchdog
from emu.cpu.watchdog import Watchdog
from emu.findings.verdict import Outcome
from emu.profile import load_profile
from tests.emu.images import sample_image, shim64

PROFILE = load_profile("xen-pv-shim-4.10")
START = """
        lea     directory(%rip), %rbx
        mov     %cr3, %rcx
        movabs  $0xffff82d080000000, %rdx
        sub     %rdx, %rbx
        or      $3, %rbx
        mov     %rbx, 0x1018(%rcx)              /* the fourth gigabyte */
        lea     real(%rip), %rsi
        mov     $0x1000, %edi
        mov     $real_end - real, %ecx
        rep movsb
        mov     $0xfee00000, %ebx
        movl    $2 << 24, 0x310(%rbx)
        movl    $0x4500, 0x300(%rbx)            /* INIT */
        movl    $0x601, 0x300(%rbx)             /* begin at page 1 */
"""
PAGES = """
        .balign 4096
directory: .skip 0x1f7 * 8
        .quad   0xfee00083
        .skip   8 * 8
"""


def image(first: str, second: str) -> bytes:
    """``first`` goes on in 64-bit mode, ``second`` runs in real mode with a page for data at 0x2000."""
    ends = f"\n.balign 16\nreal: .code16\nxor %ax, %ax\nmov %ax, %ds\n{second}\nreal_end: .code64\n"
    return shim64(START + first + ends + PAGES)


def verdict(elf: bytes) -> tuple[str, str, str]:
    report = emulate_image(elf, PROFILE)
    (finding,) = report.findings
    assert report.outcome is Outcome.FAILED
    return finding.invariant, finding.message, finding.where


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BOOT", Bounds(seconds=1.0, instructions=3_000_000, patience=2))


def test_the_second_begins_in_real_mode_at_the_page_that_was_named() -> None:
    """It writes where the first one waits for it, without looking at the time."""
    wait = "wait: mov 0x2000, %eax\ncmp $0x1000, %eax\njne wait\nmet: ud2"
    kind, _, where = verdict(
        image(wait, "mov %cs, %ax\nshl $4, %ax\nmov %ax, 0x2000\n1: hlt\njmp 1b")
    )
    assert (kind, where) == ("crash", "met+0x0")


def test_both_have_their_turn() -> None:
    """Each spins until the other has gone on, a hundred times."""
    ping = "mov $100, %ecx\n1: mov %ecx, 0x2000\n2: cmp %ecx, 0x2008\njne 2b\nloop 1b\nmet: ud2"
    pong = "mov $100, %cx\n1: cmp %cx, 0x2000\njne 1b\nmov %cx, 0x2008\nloop 1b\n2: hlt\njmp 2b"
    kind, _, where = verdict(image(ping, pong))
    assert (kind, where) == ("crash", "met+0x0")


def test_each_holds_what_the_other_waits_for() -> None:
    """A deadlock of two, each going round in circles of its own."""
    first = "mov $1, %eax\n1: xchg %eax, 0x2000\nmov $1, %eax\nstuck: cmpl $0, 0x2008\njne stuck"
    second = "movw $1, 0x2008\n1: cmpw $2, 0x2000\njne 1b\n2: hlt\njmp 2b"
    kind, message, where = verdict(image("movl $1, 0x2008\n" + first, second))
    assert (kind, where) == ("loop", "stuck+0x0")
    assert "loops, and nothing changes" in message


def test_one_waits_for_one_that_sleeps() -> None:
    kind, message, where = verdict(
        image("stuck: cmpl $1, 0x2000\njne stuck", "cli\n1: hlt\njmp 1b")
    )
    assert (kind, where) == ("loop", "stuck+0x0")
    assert "loops, and nothing changes" in message


def test_both_sleep() -> None:
    kind, message, _ = verdict(image("cli\nsleep: hlt", "cli\n1: hlt\njmp 1b"))
    assert kind == "halt"
    assert "nothing will wake it" in message


def test_a_fault_of_the_second() -> None:
    """In real mode, where nothing can take it."""
    kind, message, _ = verdict(image("1: jmp 1b", "ud2"))
    assert kind == "crash"
    assert "not in 64-bit mode yet" in message


def test_the_second_is_stopped_by_a_message() -> None:
    """INIT: it waits for the next startup message, and its loop is over."""
    first = """
        mov     $0x2000, %edx
1:      cmpl    $3, (%rdx)
        jb      1b
        movl    $0x4500, 0x300(%rbx)
        mov     (%rdx), %ecx
        mov     $50000, %eax
2:      dec     %eax
        jnz     2b
        cmp     (%rdx), %ecx
same:   je      done
        ud2
        nop
done:   ud2
"""
    kind, _, where = verdict(image(first, "1: incl 0x2000\njmp 1b"))
    assert (kind, where) == ("crash", "done+0x0")


def test_a_message_that_wakes_the_second() -> None:
    """A fixed interrupt through the local APIC, taken in real mode?  No: it has no table, and stays."""
    kind, message, _ = verdict(image("movl $0x40, 0x300(%rbx)\ncli\nhlt", "sti\n1: hlt\njmp 1b"))
    assert kind == "crash"
    assert "triple fault" in message


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bound in time: what ends here does so by itself."""
    monkeypatch.setattr(run, "BOOT", Bounds(seconds=1e6, instructions=3_000_000, patience=2))


@pytest.mark.usefixtures("_patient")
def test_who_spins_lets_the_other_go_on() -> None:
    wait = "wait: pause\nmov 0x2000, %eax\ncmp $0x1000, %eax\njne wait\nmet: ud2"
    second = "mov $60000, %cx\n1: loop 1b\nmovw $0x1000, 0x2000\n2: hlt\njmp 2b"
    kind, _, where = verdict(image(wait, second))
    assert (kind, where) == ("crash", "met+0x0")


@pytest.mark.usefixtures("_patient")
def test_who_waits_by_many_short_delays_lets_the_other_go_on() -> None:
    """Two looks at the time from two places, again and again."""
    wait = "wait: rdtsc\nnop\nrdtsc\nmov 0x2000, %eax\ncmp $0x1000, %eax\njne wait\nmet: ud2"
    second = "movw $0x1000, 0x2000\n2: hlt\njmp 2b"
    kind, _, where = verdict(image(wait, second))
    assert (kind, where) == ("crash", "met+0x0")


@pytest.mark.usefixtures("_patient")
def test_one_spins_for_one_that_sleeps() -> None:
    kind, message, where = verdict(
        image("stuck: pause\ncmpl $1, 0x2000\njne stuck", "cli\n1: hlt\njmp 1b")
    )
    assert (kind, where) == ("loop", "stuck+0x0")
    assert "loops, and nothing changes" in message


@pytest.mark.usefixtures("_patient")
def test_one_that_is_alone_spins() -> None:
    kind, message, where = verdict(shim64("stuck: pause\ncmpl $1, 0x2000\njne stuck"))
    assert (kind, where) == ("loop", "stuck+0x0")
    assert "loops, and nothing changes" in message


@pytest.mark.torture
def test_every_run_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns end by what the image does, whenever the clock of the machine below cuts one short."""
    only = "second vcpu down and up again/64"
    monkeypatch.setattr(run, "BOOT", BOOT)
    first = json.dumps(emulate_image(sample_image(), PROFILE, only=only).to_json(timing=False))
    cuts = 0
    arm, again = Watchdog.arm, Watchdog.again

    def at_once(watchdog: Watchdog, _seconds: float) -> None:
        arm(watchdog, 0.001)

    def counted(watchdog: Watchdog, most: float) -> bool:
        nonlocal cuts
        cuts += 1
        return again(watchdog, most)

    monkeypatch.setattr(watchdog, "INTERVAL", 0.001)
    monkeypatch.setattr(Watchdog, "arm", at_once)
    monkeypatch.setattr(Watchdog, "again", counted)
    second = json.dumps(emulate_image(sample_image(), PROFILE, only=only).to_json(timing=False))
    assert cuts > 3
    assert first == second
