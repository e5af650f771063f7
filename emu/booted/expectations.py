# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario asks for beyond the rules, as far as it can be seen from outside of the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emu import abi
from emu.booted.observed import Observed
from emu.findings.verdict import L0Call
from emu.profile.scenario import ExpectedCall, Name, Value
from emu.rules import expected

REFUSALS = (-abi.ERRNO["ENOSYS"], -abi.ERRNO["EOPNOTSUPP"])
"""How an image answers what it does not know."""


def unmet(seen: Observed) -> Iterator[str]:
    """One message for each thing that the scenario asks for and did not get."""
    scenario, answer = seen.case.scenario, seen.answer
    if answer.end is not None:
        yield from _missing(seen.calls, scenario.expect)
        return
    if scenario.ends:
        yield "the call returns, and should not"
    if answer.result in REFUSALS and not answer.calls:
        return
    if answer.result is not None:
        wanted = _wanted(scenario.result, seen.machine.version)
        yield from expected.wrong_result(answer.result, wanted, lambda value: value)
    if scenario.silent and answer.calls:
        yield f"L0 is asked for {answer.calls[0].op}, and should not be"
    yield from _missing(seen.calls, scenario.expect)
    yield from unseen(seen)


def unseen(seen: Observed) -> Iterator[str]:
    """What the guest sees, and should see otherwise."""
    for name, value in seen.out:
        yield from expected.wrong_field(name, seen.sees(name), value)
    yield from expected.wrong_frames(seen.listed, seen.mapped)


def _wanted(values: Sequence[Value], version: tuple[int, int] | None) -> Sequence[Value]:
    """The image's own version where it has said it, as XENVER_version has it; else what is there besides."""
    if Name.VERSION not in values:
        return values
    if version is not None:
        return (version[0] << 16 | version[1],)
    return [value for value in values if value is not Name.VERSION]


def _missing(calls: Sequence[L0Call], wanted: Sequence[ExpectedCall]) -> Iterator[str]:
    missing = expected.first_missing(calls, wanted, _matches)
    if missing is not None:
        yield f"L0 is not asked for {missing[0].op} as expected"


def _matches(call: L0Call, wanted: ExpectedCall) -> bool:
    """Places are not compared: where things lie is the image's own affair."""
    given = dict(call.arguments)
    return call.op == wanted.op and all(
        given.get(name) == value for name, value in wanted.fields if isinstance(value, int)
    )
