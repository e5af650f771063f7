# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario asks for beyond the rules: its result, its L0 calls, what the guest sees."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from emu import abi
from emu.findings.verdict import L0Call
from emu.object.call import Run
from emu.object.machine import Machine
from emu.object.observed import guest_field
from emu.profile.scenario import ExpectedCall, PortState
from emu.rules import expected
from emu.spaces import LinearAddr

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
        if port.pending not in (None, port.number in run.context.pending):
            yield f"port {port.number} {'is not' if port.pending else 'is'} made pending"
    if scenario.masked is not None and not all(run.context.masked):
        yield f"port {scenario.masked} is not masked in L0's shared page before L0 is asked"
    yield from _called(run)
    yield from _out_of_order(run)
    yield from _called_for_each(machine, run)
    for name in scenario.not_called:
        if name in run.context.called:
            yield f"{name} is called"


def unmet_again(machine: Machine, run: Run) -> Iterator[str]:
    """The same of a call that is made once more: what of it was done at first may be left out."""
    yield from _guest(machine, run)
    for port in run.case.scenario.after:
        yield from _port(machine, port)


def _called(run: Run) -> Iterator[str]:
    """In this order; what is called besides, and how often, is the core's own affair."""
    at, last = 0, ""
    for name in run.case.scenario.called:
        if name not in run.context.called:
            yield f"{name} is not called"
        elif name not in run.context.called[at:]:
            yield f"{name} is called before {last}, and should be behind it"
        else:
            at, last = run.context.called.index(name, at) + 1, name


def _out_of_order(run: Run) -> Iterator[str]:
    called = run.context.called
    there = [name for name in run.case.scenario.order if name in called]
    for name, following in pairwise(there):
        if called.index(name) > called.index(following):
            yield f"{following} is called before {name}, and should be behind it"


def _called_for_each(machine: Machine, run: Run) -> Iterator[str]:
    """What is set up anew for one vcpu is for the others: a suspend is the domain's."""
    world, context = machine.world, run.context
    for name in run.case.scenario.each_vcpu:
        given = [g for n, g in zip(context.called, context.called_with, strict=True) if n == name]
        for number in range(len(world.vcpus) if given else 0):
            if not any(world.is_within_vcpu(number, address) for address in given):
                yield f"{name} is called, and not for vcpu {number}"


def _result(machine: Machine, run: Run) -> Iterator[str]:
    scenario = run.case.scenario
    if run.ended != scenario.ends:
        yield "the domain is shut down" if run.ended else "the domain is not shut down"
    if run.result is not None:
        yield from expected.wrong_result(
            run.result, scenario.result, lambda value: machine.value(value, run.case)
        )


def _calls(machine: Machine, run: Run) -> Iterator[str]:
    scenario, case = run.case.scenario, run.case
    calls = run.context.l0.calls[run.calls_before :]
    if scenario.silent and calls:
        yield f"L0 is called: {calls[0]}"

    def matches(call: L0Call, wanted: ExpectedCall) -> bool:
        given = dict(call.arguments)
        return call.op == wanted.op and all(
            given.get(name) == machine.value(value, case) for name, value in wanted.fields
        )

    missing = expected.first_missing(calls, scenario.expect, matches)
    if missing is not None:
        wanted, near = missing
        fields = ", ".join(f"{name}={machine.value(value, case)}" for name, value in wanted.fields)
        instead = f", but for {near}" if near else ""
        yield f"L0 is not asked for {wanted.op}({fields}){instead}"


def _guest(machine: Machine, run: Run) -> Iterator[str]:
    scenario = run.case.scenario
    for name, value in scenario.out:
        wanted = machine.value(value, run.case)
        yield from expected.wrong_field(name, guest_field(machine, run, name), wanted)
    if scenario.frames is not None:
        yield from _frames(machine, run, scenario.frames)


def _frames(machine: Machine, run: Run, count: int) -> Iterator[str]:
    width = 4 if run.case.mode is abi.Mode.COMPAT else 8
    start = LinearAddr(machine.value(dict(run.case.scenario.fields)["frame_list"], run.case))
    if machine.memory.covering(start, width * count) is None:
        yield f"the guest's list of {count} frames cannot be read"
        return
    listed = [machine.memory.read_int(start + width * i, width) for i in range(count)]
    yield from expected.wrong_frames(listed, expected.mapped_frames(run.context.l0.mapped))


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
    wanted = machine.profile.constant(port.state.constant)
    if (state == wanted) == port.excluded or state is None:
        yield f"port {port.number} is in state {state}, and should be {port.spelled}"
    channel = machine.world.channels.find(port.number)
    if port.vcpu is not None and channel is not None:
        vcpu = machine.world.get("struct evtchn", channel, "notify_vcpu_id")
        if vcpu != port.vcpu:
            yield f"port {port.number} notifies vcpu {vcpu}, not {port.vcpu}"
