# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario expects beyond the rules, as far as both levels look at it in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from emu import abi
from emu.findings.verdict import L0Call
from emu.profile.scenario import ExpectedCall, Name, Value

LEFTOVER = b"\x2a"
"""What the guest has left where only an answer is to stand."""
UNTOUCHED = frozenset(int.from_bytes(LEFTOVER * size) for size in (2, 4, 8))


def wrong_result(
    result: int, wanted: Sequence[Value], value: Callable[[Value], Value]
) -> Iterator[str]:
    """That the result is none of those that are wanted; ``value``: what a name stands for."""
    if not wanted or (Name.ANY_ERROR in wanted and result < 0):
        return
    wanted = [each if each is Name.ANY_ERROR else value(each) for each in wanted]
    if result not in wanted:
        spelled = (each if isinstance(each, str) else abi.result_name(each) for each in wanted)
        yield f"the result is {abi.result_name(result)}, not {' or '.join(spelled)}"


def wrong_field(name: str, sees: int | None, wanted: int) -> Iterator[str]:
    """That a field of the guest's structure has another value."""
    if sees != wanted:
        yield f"the guest sees {name} {seen(sees)}, not {wanted}"


def seen(value: int | None) -> str:
    """What the guest finds in a field: the value, or that nobody has written it."""
    return "untouched" if value in UNTOUCHED else f"= {value}"


def mapped_frames(mapped: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """Index to frame number of the grant frames that L0 has mapped; ``mapped``: by frame number, the space
    and the index in it."""
    space = abi.CONSTANTS["XENMAPSPACE_grant_table"]
    return {index: frame for frame, (kind, index) in mapped.items() if kind == space}


def wrong_frames(listed: Sequence[int], mapped: Mapping[int, int]) -> Iterator[str]:
    """Entry i of the guest's list must be the frame at which L0 has mapped grant frame i."""
    for index, frame in enumerate(listed):
        wanted = mapped.get(index)
        if wanted is None:
            yield f"grant frame {index} is not mapped in L0"
        elif frame != wanted:
            yield f"frame {index} of the guest's list is {frame:#x}, L0 has it at {wanted:#x}"


def first_missing(
    calls: Sequence[L0Call],
    expected: Sequence[ExpectedCall],
    matches: Callable[[L0Call, ExpectedCall], bool],
) -> tuple[ExpectedCall, L0Call | None] | None:
    """The first expected call that was not made after those before it, and the first call for its
    operation that was made instead; calls in between are allowed."""
    at = 0
    for wanted in expected:
        found = next((i for i in range(at, len(calls)) if matches(calls[i], wanted)), None)
        if found is None:
            return wanted, next((call for call in calls[at:] if call.op == wanted.op), None)
        at = found + 1
    return None
