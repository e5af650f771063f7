# SPDX-License-Identifier: GPL-2.0-or-later
"""What a rule is, and what most of them look at.

A rule asks for what it looks at by a small protocol.  A level of emulation lists the rules whose protocols
its own view of a call fulfils: the type checker refuses a rule about something that the level cannot see.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

from emu import abi
from emu.findings.invariant import Invariant
from emu.findings.verdict import L0Call
from emu.interactions import Plan
from emu.profile.scenario import Case
from emu.spaces import NOWHERE, LinearAddr

View = TypeVar("View", contravariant=True)


class Broken(NamedTuple):
    """How a rule was broken, at which code address, and by which operation if not by the case's own."""

    message: str
    address: LinearAddr = NOWHERE
    operation: str = ""


class Rule(ABC, Generic[View]):
    """Checked after each call."""

    name: ClassVar[Invariant]
    reason: ClassVar[str]
    forwarding: ClassVar[bool] = False
    """Holds for a core that is meant to forward its guest's calls.  An image without a shim also asks L0, on
    its own behalf, for example when its guest shuts down."""

    @abstractmethod
    def check(self, seen: View) -> Iterator[Broken]:
        """Everything that breaks the rule."""


class Call(Protocol):
    """One call and what came of it."""

    @property
    def case(self) -> Case: ...

    @property
    def result(self) -> int | None:
        """None where it did not return."""

    @property
    def calls(self) -> Sequence[L0Call]:
        """What it asked L0 for."""

    @property
    def plan(self) -> Plan:
        """What was made to fail."""


class GuestStructure(Protocol):
    """The guest's argument structure."""

    @property
    def struct(self) -> abi.Struct | None:
        """None where the core is not asked to look at one."""

    def asked(self, name: str) -> int | None:
        """A field as it stood when the guest asked; None where there is no such field."""

    def sees(self, name: str) -> int | None:
        """A field as the guest sees it afterwards; None where there is no such field."""


class StructureCall(Call, GuestStructure, Protocol):
    """A call, and the structure that the guest made it with."""


def refusals(seen: Call) -> Iterator[L0Call]:
    """Calls for the guest's own operation that L0 refused."""
    own = (call for call in seen.calls if call.op == seen.case.scenario.operation)
    return (call for call in own if call.result < 0)
