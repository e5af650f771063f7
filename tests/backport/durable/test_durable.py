# SPDX-License-Identifier: GPL-2.0-or-later
"""Killed, or refused by the disk, at any durable call: `continue` ends in the same ids, `abort` leaves
everything as it was, and no exit code is 128."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.backport.durable.machine import Fault, Machine
from tests.backport.durable.survey import Shape, survey
from tests.backport.durable.sweep import FAULTS, VERBS, Case, Sweep, cases, spread


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path / "machine")
    yield found
    found.close()


def of_each_kind(kinds: list[str], most: int) -> Iterator[Case]:
    """Some kinds of calls, each with another fault than the one before."""
    first = {kind: at for at, kind in reversed(list(enumerate(kinds, 1)))}
    chosen = sorted(first.values())[:: max(1, len(first) // most)]
    for number, at in enumerate(chosen):
        fault, sticky = FAULTS[number % len(FAULTS)]
        yield Case(at, fault, sticky, VERBS[1 - number // len(FAULTS) % 2])


def _wrong(found: Sweep, chosen: Iterable[Case], least: int) -> list[str]:
    checked = list(chosen)
    assert len(checked) >= least
    return [f"{case}: {what}" for case in checked for what in found.check(case)]


@pytest.mark.parametrize(("level", "most"), [("none", 16), ("build", 7), ("object", 2)])
def test_some_faults_at_some_calls(machine: Machine, tmp_path: Path, level: str, most: int) -> None:
    found = survey(machine, tmp_path, level)
    assert _wrong(found, of_each_kind(machine.kinds(), most), most) == []


@pytest.mark.torture
@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("level", ["none", "build"])
def test_every_fault_at_every_call(
    machine: Machine, tmp_path: Path, level: str, shape: Shape
) -> None:
    found = survey(machine, tmp_path, level, shape)
    assert _wrong(found, cases(found.calls), found.calls) == []


@pytest.mark.torture
def test_a_fault_at_every_call_while_cores_are_emulated(machine: Machine, tmp_path: Path) -> None:
    found = survey(machine, tmp_path, "object")
    assert _wrong(found, spread(found.calls, every=len(FAULTS)), found.calls) == []


def test_nothing_stays_of_a_run_that_never_began_or_is_over(
    machine: Machine, tmp_path: Path
) -> None:
    found = survey(machine, tmp_path, "none")
    kinds = machine.kinds()
    ends = kinds.index("rename run/state.json") + 1, kinds.index("unlink run/state.json") + 2
    assert _wrong(found, (Case(at, Fault.KILL, False, "abort") for at in ends), 2) == []
