# SPDX-License-Identifier: GPL-2.0-or-later
"""Address spaces as types: a mix-up is this field's classic bug, and the type checker finds it.

At run time each is a plain number, which costs nothing.  For the type checker an address plus or minus a
number is an address of the same space, and the difference of two of them a number; a step from one space to
another is written down, and stands where the reason is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self, overload

    class _Address(int):
        def __add__(self, other: int) -> Self: ...
        def __radd__(self, other: int) -> Self: ...
        @overload
        def __sub__(self, other: Self) -> int: ...  # type: ignore[overload-overlap]
        @overload
        def __sub__(self, other: int) -> Self: ...
        def __sub__(self, other: int) -> int: ...
        def __and__(self, other: int) -> Self: ...
        def __or__(self, other: int) -> Self: ...

    class LinkAddr(_Address):
        """Where the linker has put something."""

    class LinearAddr(_Address):
        """What a processor translates by its page tables.  The object level has none: there it is simply
        where something lies.  A PV guest shares its linear addresses with its hypervisor."""

    class PhysAddr(_Address):
        """In the machine's memory."""

else:
    LinkAddr = LinearAddr = PhysAddr = int

NOWHERE = LinearAddr(0)
"""No place is known."""

__all__ = ["NOWHERE", "LinearAddr", "LinkAddr", "PhysAddr"]
