# SPDX-License-Identifier: GPL-2.0-or-later
"""A story: what the guest sets up, what happens then, and what is to have become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emu.abi import Mode
from emu.booted.drive import Drive
from emu.booted.ending import Ended
from emu.booted.guest import Guest, NoAnswer
from emu.booted.paging import NotMapped
from emu.booted.ram import BadAddress
from emu.booted.traps import VECTOR_UD
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.invariant import Invariant
from emu.findings.verdict import Finding
from emu.interactions import Plan
from emu.l0 import L0Setup


@dataclass(frozen=True, slots=True)
class Came:
    """What became of it; ``wrong`` are the findings."""

    treatment: Treatment
    note: str = ""
    result: int = 0
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """``prepare``: how L0 stands meanwhile, if not as always.  ``entry``: of the profile, a function without
    which there is nothing to tell."""

    name: str
    operation: str
    attempt: Callable[[Guest], Came]
    prepare: Callable[[L0Setup], L0Setup] = lambda setup: setup
    entry: str = ""


def unreached(told: Story, mode: Mode, why: str) -> BehaviourRow:
    """Nothing can be told of it."""
    return BehaviourRow(told.name, told.operation, mode, Treatment.UNREACHED, None, note=why)


def run_story(drive: Drive, setup: L0Setup, told: Story) -> BehaviourRow:
    """From the snapshot; a guest of an image that is no shim yet gets no further than the image does."""
    machine, mode = drive.machine, drive.kernel.mode
    title = f"{told.name}/{mode}"

    def attempt() -> Came:
        drive.restore(Plan(), told.prepare(setup))
        return told.attempt(Guest(drive))

    findings: tuple[Finding, ...] = ()
    ended: Ended | None = None
    try:
        came = drive.bounded(attempt)
        findings = tuple(
            Finding(told.operation, wrong, told.operation, title, rerun=title)
            for wrong in came.wrong
        )
    except (NoAnswer, NotMapped, BadAddress) as exc:
        came = Came(Treatment.UNREACHED, str(exc))
    except Ended as exc:
        bugs = [
            at for vcpu in machine.vcpus for vector, at in vcpu.traps.taken if vector == VECTOR_UD
        ]
        where = machine.image.where(bugs[-1] if bugs else exc.address)
        came = Came(Treatment.CRASHED, f"{exc.message} at {where}")
        findings = (Finding(Invariant.CRASH, exc.message, where, title, rerun=title),)
        ended = exc
    if missing := drive.limits(ended):
        came, findings = Came(Treatment.UNJUDGED, "; ".join(missing)), ()
    calls = tuple(machine.l0.calls)
    lost = came.treatment in (Treatment.UNREACHED, Treatment.CRASHED, Treatment.UNJUDGED)
    result = None if lost else came.result
    return BehaviourRow(
        told.name, told.operation, mode, came.treatment, result, calls, findings, came.note
    )
