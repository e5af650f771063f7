# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario asks for beyond the invariants: its result, its L0 calls, what the guest sees."""

from __future__ import annotations

from collections.abc import Iterator

from emu import abi
from emu.findings.verdict import L0Call
from emu.object.call import Run
from emu.object.invariants.invariant import guest_field
from emu.object.machine import Machine
from emu.profile.scenario import ExpectedCall, PortState, Value

NAME = "expectation"
MAX_MAGIC = 64


def unmet(machine: Machine, run: Run) -> Iterator[str]:
    """One message for each thing that the scenario asks for and did not get."""
    yield from _result(machine, run)
    yield from _calls(machine, run)
    yield from _guest(machine, run)
    scenario = run.case.scenario
    yield from _leaves(machine, run)
    for port in scenario.after:
        yield from _port(machine, port)
    if scenario.masked is not None and not all(run.context.masked):
        yield f"port {scenario.masked} is not masked in L0's shared page before L0 is asked"
    for name in scenario.called:
        if name not in run.context.called:
            yield f"{name} is not called"
    for name in scenario.not_called:
        if name in run.context.called:
            yield f"{name} is called"


def _result(machine: Machine, run: Run) -> Iterator[str]:
    wanted = run.case.scenario.result
    if run.ended != run.case.scenario.ends:
        yield "the domain is shut down" if run.ended else "the domain is not shut down"
    if not wanted or run.result is None:
        return
    if any(value == "error" for value in wanted) and run.result < 0:
        return
    numbers = [machine.value(value, run.case) for value in wanted if value != "error"]
    if run.result not in numbers:
        named = " or ".join(
            value if isinstance(value, str) else abi.result_name(value) for value in wanted
        )
        yield f"the result is {abi.result_name(run.result)}, not {named}"


def _calls(machine: Machine, run: Run) -> Iterator[str]:
    scenario = run.case.scenario
    calls = run.context.l0.calls[run.calls_before :]
    if scenario.silent and calls:
        yield f"L0 is called: {calls[0]}"
    at = 0
    for expected in scenario.expect:
        found = next(
            (i for i in range(at, len(calls)) if _matches(machine, run, expected, calls[i])), None
        )
        if found is None:
            near = next((call for call in calls[at:] if call.op == expected.op), None)
            yield f"L0 is not asked for {_spelled(machine, run, expected)}" + (
                f", but for {near}" if near else ""
            )
            return
        at = found + 1


def _matches(machine: Machine, run: Run, expected: ExpectedCall, call: L0Call) -> bool:
    if call.op != expected.op:
        return False
    given = dict(call.arguments)
    return all(given.get(name) == machine.value(value, run.case) for name, value in expected.fields)


def _spelled(machine: Machine, run: Run, expected: ExpectedCall) -> str:
    fields = ", ".join(
        f"{name}={machine.value(value, run.case)}" for name, value in expected.fields
    )
    return f"{expected.op}({fields})"


def _guest(machine: Machine, run: Run) -> Iterator[str]:
    scenario = run.case.scenario
    for name, value in scenario.out:
        wanted = machine.value(value, run.case)
        seen = guest_field(machine, run, name)
        if seen != wanted:
            yield f"the guest sees {name} = {seen}, not {wanted}"
    if scenario.frames is not None:
        yield from _frames(machine, run, scenario.frames)


def _frames(machine: Machine, run: Run, count: int) -> Iterator[str]:
    """Entry i of the guest's list must be the frame at which L0 has mapped grant frame i."""
    width = 4 if run.case.mode == "compat" else 8
    start = machine.value(dict(run.case.scenario.fields)["frame_list"], run.case)
    if machine.memory.covering(start, width * count) is None:
        yield f"the guest's list of {count} frames is not there to be looked at"
        return
    space = abi.CONSTANTS["XENMAPSPACE_grant_table"]
    by_index = {
        index: gpfn for gpfn, (kind, index) in run.context.l0.mapped.items() if kind == space
    }
    for index in range(count):
        seen = machine.memory.read_int(start + width * index, width)
        wanted = by_index.get(index)
        if wanted is None:
            yield f"grant frame {index} is not mapped in L0"
        elif seen != wanted:
            yield f"frame {index} of the guest's list is {seen:#x}, L0 has it at {wanted:#x}"


def _leaves(machine: Machine, run: Run) -> Iterator[str]:
    world, scenario = machine.world, run.case.scenario
    for path, value in scenario.leaves:
        seen, wanted = world.get(*world.place(path)), machine.value(value, run.case)
        if seen != wanted:
            yield f"{path} is {seen:#x}, and should be {wanted:#x}"
    if scenario.start_info is None:
        return
    page, mode = bytes(world.start_info.view), run.case.mode
    magic = page.split(b"\0", 1)[0][:MAX_MAGIC]
    if magic != abi.MAGIC[mode]:
        yield f"the start info page begins with {magic!r}, and should with {abi.MAGIC[mode]!r}"
    fields = abi.START_INFO[mode].decode(page)
    for name, value in scenario.start_info:
        wanted = machine.value(value, run.case)
        if fields[name] != wanted:
            yield f"the start info page has {name} = {fields[name]:#x}, not {wanted:#x}"


def _port(machine: Machine, port: PortState) -> Iterator[str]:
    state = machine.world.channels.state(port.number)
    negated = port.state.startswith("not ")
    wanted: Value = machine.profile.constant(f"ECS_{port.state.removeprefix('not ').upper()}")
    if (state == wanted) == negated or state is None:
        yield f"port {port.number} is in state {state}, and should be {port.state}"
    channel = machine.world.channels.find(port.number)
    if port.vcpu is not None and channel is not None:
        vcpu = machine.world.get("struct evtchn", channel, "notify_vcpu_id")
        if vcpu != port.vcpu:
            yield f"port {port.number} notifies vcpu {vcpu}, not {port.vcpu}"
