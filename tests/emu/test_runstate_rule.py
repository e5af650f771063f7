# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest is told of the time of a vcpu, against public vcpu.h, struct vcpu_runstate_info."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.rules.runstate import UPDATE, Look, Runstate, State, disagree, drifted, untrue

TOLD = Runstate(State.RUNNING, 900, (400, 50, 250, 200))
LOOK = Look(TOLD, before=995, after=1005)
LATER = Look(replace(TOLD, times=(500, 50, 250, 200)), before=1095, after=1105)


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        (TOLD, []),
        (replace(TOLD, state=2), ["its state is blocked, not running"]),
        (replace(TOLD, state=-1), ["its state is -1, not running"]),
        (replace(TOLD, state_entry_time=1006), ["its state begins 1 ns from now"]),
        (replace(TOLD, state_entry_time=900 | UPDATE), ["it says that it is being written"]),
    ],
)
def test_a_state(told: Runstate, wrong: list[str]) -> None:
    assert list(untrue(replace(LOOK, told=told), (State.RUNNING,))) == wrong


@pytest.mark.parametrize(
    ("times", "wrong"),
    [
        ((490, 50, 250, 200), []),  # from 1005 to 1095
        ((510, 50, 250, 200), []),  # from 995 to 1105
        ((400, 50, 350, 200), []),
        ((489, 50, 250, 200), ["its times grow by 89 ns while 90 to 110 ns pass"]),
        ((511, 50, 250, 200), ["its times grow by 111 ns while 90 to 110 ns pass"]),
        ((501, 49, 250, 200), ["the time that it was runnable falls by 1 ns"]),
    ],
)
def test_the_sum_does_not_drift(times: tuple[int, ...], wrong: list[str]) -> None:
    assert list(drifted(LOOK, replace(LATER, told=replace(TOLD, times=times)))) == wrong


@pytest.mark.parametrize(
    ("area", "wrong"),
    [
        (TOLD, []),
        (replace(TOLD, times=(300, 50, 250, 200)), []),  # as it was when it began to run
        (
            replace(TOLD, state=2),
            ["the memory area has its state blocked while it runs"],
        ),
        (
            replace(TOLD, state_entry_time=899),
            ["the memory area has it scheduled at 899, VCPUOP_get_runstate_info at 900"],
        ),
        (
            replace(TOLD, times=(401, 50, 250, 200)),
            ["the memory area has 401 ns running, VCPUOP_get_runstate_info 400"],
        ),
        (
            replace(TOLD, times=(400, 50, 250, 199)),
            ["the memory area has 199 ns offline, VCPUOP_get_runstate_info 200"],
        ),
    ],
)
def test_memory_agrees_with_the_hypercall(area: Runstate, wrong: list[str]) -> None:
    assert list(disagree(area, TOLD)) == wrong


def test_memory_of_one_that_does_not_run_says_nothing() -> None:
    assert not list(disagree(TOLD, replace(TOLD, state=State.BLOCKED)))
