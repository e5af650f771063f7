# SPDX-License-Identifier: GPL-2.0-or-later
"""Killed, or refused by the disk, at any durable call: `continue` ends in the same ids, `abort` leaves
everything as it was, and no exit code is 128."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.backport.durable.machine import Fault, Machine
from tests.backport.durable.survey import Case, Shape, cases, survey

FAULTS = (
    (Fault.KILL, False),
    (Fault.HALF, False),
    (Fault.ORPHAN, False),
    (Fault.ENOSPC, False),
    (Fault.ENOSPC, True),
    (Fault.EIO, False),
    (Fault.EIO, True),
)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path / "machine")
    yield found
    found.close()


def spread(kinds: list[str]) -> Iterator[Case]:
    """Some kinds of calls, each with another fault than the one before."""
    first = {kind: at for at, kind in reversed(list(enumerate(kinds, 1)))}
    chosen = sorted(first.values())[:: max(1, len(first) // 28)]
    for number, at in enumerate(chosen):
        fault, sticky = FAULTS[number % len(FAULTS)]
        yield Case(at, fault, sticky, ("abort", "continue")[number // len(FAULTS) % 2])


def _wrong(machine: Machine, folder: Path, level: str, shape: Shape, some: bool) -> list[str]:
    found = survey(machine, folder, level, shape)
    chosen: Iterable[Case] = (
        spread(machine.kinds()) if some else cases(range(1, found.calls + 1), FAULTS)
    )
    count = 0
    wrong = []
    for case in chosen:
        count += 1
        wrong += [f"{case}: {what}" for what in found.check(case)]
    assert count > 20
    return wrong


def test_some_faults_at_some_calls(machine: Machine, tmp_path: Path) -> None:
    assert _wrong(machine, tmp_path, "none", Shape.PLAIN, True) == []


@pytest.mark.torture
@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("level", ["none", "build"])
def test_every_fault_at_every_call(
    machine: Machine, tmp_path: Path, level: str, shape: Shape
) -> None:
    assert _wrong(machine, tmp_path, level, shape, False) == []
