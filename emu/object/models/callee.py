# SPDX-License-Identifier: GPL-2.0-or-later
"""What a model is, and what it leaves in rax.

``int`` results leave rubbish in the upper half of rax and ``bool`` in all but the lowest byte, as the
calling convention allows (psABI 3.2.3): a core that was built against a wrong prototype is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from emu import abi
from emu.object.context import Context

Returns = Literal["void", "bool", "int", "long"]
Function = Callable[[Context, Sequence[int]], int]

M32 = 0xFFFFFFFF
ENOMEM, ENOSPC, EBUSY, EINVAL, ENOENT, EFAULT, ERESTART = (
    abi.ERRNO[name]
    for name in ("ENOMEM", "ENOSPC", "EBUSY", "EINVAL", "ENOENT", "EFAULT", "ERESTART")
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model and the C type of what it returns."""

    function: Function
    returns: Returns


class Models(dict[str, Model]):
    """Models by name, collected from the functions of a file."""

    def model(self, returns: Returns) -> Callable[[Function], Function]:
        """Decorator: the function's name, without its leading underscore, is the model's."""

        def register(function: Function) -> Function:
            self[function.__name__.removeprefix("_")] = Model(function, returns)
            return function

        return register


def in_rax(value: int, returns: Returns) -> int:
    """``value`` as the callee leaves it in rax."""
    if returns == "long":
        return value & (1 << 64) - 1
    if returns == "int":
        return 0xDEADBEEF << 32 | value & M32
    if returns == "bool":
        return 0xDEADBEEFDEADBE00 | value & 1
    return 0xDEADBEEFDEADBEEF
