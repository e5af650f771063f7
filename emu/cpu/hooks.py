# SPDX-License-Identifier: GPL-2.0-or-later
"""What any processor calls back for, and how it is run: alike for one object and for a whole machine.

An exception raised in a hook would be lost in the library: it is kept, the machine stopped, and
raised again after the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.cpu.engine import (
    CODE_HOOK,
    INSTRUCTIONS,
    INVALID_HOOK,
    M32,
    Registers,
    Stop,
    add_hook,
    library,
    uc,
    x86,
)
from emu.spaces import LinearAddr

_CPUID = x86.UC_X86_INS_CPUID, INSTRUCTIONS["rdtsc"][1]
"""As in `INSTRUCTIONS`, of which it is none: a core that asks for it is answered by the model."""
REASONS = {
    uc.UC_ERR_READ_UNMAPPED: Stop.READ,
    uc.UC_ERR_READ_PROT: Stop.READ,
    uc.UC_ERR_WRITE_UNMAPPED: Stop.WRITE,
    uc.UC_ERR_WRITE_PROT: Stop.WRITE,
    uc.UC_ERR_FETCH_UNMAPPED: Stop.FETCH,
    uc.UC_ERR_FETCH_PROT: Stop.FETCH,
    uc.UC_ERR_INSN_INVALID: Stop.INVALID,
    uc.UC_ERR_EXCEPTION: Stop.INTERRUPT,
}
"""What the library's errors mean."""


class Hooks(Registers):
    """The callbacks of one processor."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._raised: BaseException | None = None
        self._callbacks: list[Any] = []
        """Kept alive for the library."""

    def _fail(self, exc: BaseException) -> None:
        """Stop, and have `_emulate` raise this."""
        self._raised = exc
        self._engine.emu_stop()

    def _protect(self, action: Callable[..., Any], *arguments: Any) -> Any:
        """What ``action`` returns; None where it raises, or another hook has raised before."""
        if self._raised is not None:
            return None
        try:
            return action(*arguments)
        except BaseException as exc:  # an interrupt from the keyboard, too
            self._fail(exc)
            return None

    def _hook(
        self,
        kind: int,
        prototype: Any,
        function: Callable[..., Any],
        begin: int = 1,
        end: int = 1,
        *extra: int,
    ) -> None:
        """As `add_hook`, kept for as long as this processor."""
        callback = add_hook(self._engine, kind, prototype, function, begin, end, *extra)
        self._callbacks.append(callback)

    def _hook_instruction(self, instruction: tuple[int, Any], function: Callable[..., Any]) -> None:
        number, prototype = instruction
        self._hook(uc.UC_HOOK_INSN, prototype, function, 1, 1, number)

    def on_code(
        self, begin: LinearAddr, end: LinearAddr, action: Callable[[LinearAddr], None]
    ) -> None:
        """Call ``action(address)`` before each instruction of [begin, end)."""

        def hook(_engine: int, address: int, _size: int, _data: int) -> None:
            self._protect(action, address)

        self._hook(uc.UC_HOOK_CODE, CODE_HOOK, hook, begin, end)

    def on_invalid(self, action: Callable[[LinearAddr], bool]) -> None:
        """Call ``action(address)`` for each instruction that is none to this model of a processor; True where
        it has seen to it, and has set rip to where to go on."""

        def hook(_engine: int, _data: int) -> bool:
            return bool(self._protect(action, self.rip()))

        self._hook(uc.UC_HOOK_INSN_INVALID, INVALID_HOOK, hook)

    def on_cpuid(self, answer: Callable[[int, int], tuple[int, int, int, int]]) -> None:
        """Let ``answer(leaf, subleaf)`` give eax, ebx, ecx, edx."""
        inputs, outputs = self.batch("rax", "rcx"), self.batch("rax", "rbx", "rcx", "rdx")

        def respond() -> None:
            leaf, subleaf = inputs.read()
            outputs.write(answer(leaf & M32, subleaf & M32))

        def hook(_engine: int, _data: int) -> int:
            self._protect(respond)
            return 1

        self._hook_instruction(_CPUID, hook)

    def _emulate(self, start: LinearAddr, until: LinearAddr, count: int = 0) -> int:
        """Run; the library's error, or what a hook raised is raised."""
        self._raised = None
        error = library.uc_emu_start(self._handle, start, until, 0, count)
        if self._raised is not None:
            raise self._raised
        return int(error)
