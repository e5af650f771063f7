# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine calls back for: devices, instructions that a hypervisor answers, exceptions.

An exception raised in a hook would be lost in the library: it is kept, the machine stopped, and
raised again after the run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from emu.cpu.engine import EDGE_HOOK, INSTRUCTIONS, M32, Registers, add_hook, uc, x86
from emu.elf import PAGE
from emu.spaces import LinearAddr, PhysAddr

_CPUID = x86.UC_X86_INS_CPUID, INSTRUCTIONS["rdtsc"][1]
"""As in `INSTRUCTIONS`, of which it is none: a core that asks for it is answered by the model."""


class Hooks(Registers):
    """The callbacks of one processor."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._raised: BaseException | None = None
        self._keep: list[Any] = []
        self._on_translation: Callable[[LinearAddr], None] | None = None
        self._starts: set[LinearAddr] = set()
        """Where runs have begun: what is there is translated by now."""
        self.is_watched = False
        """Every write is told of (`watched`): none may go another way."""

    def _protect(self, action: Callable[..., Any], *arguments: Any) -> Any:
        if self._raised is not None:
            return None
        try:
            return action(*arguments)
        except BaseException as exc:
            self._raised = exc
            self._engine.emu_stop()
            return None

    def map_device(
        self,
        base: int,
        size: int,
        read: Callable[[int, int], int],
        write: Callable[[int, int, int], None],
    ) -> None:
        """``read(offset, size)`` and ``write(offset, size, value)`` stand behind these addresses."""

        def on_read(_engine: Any, offset: int, width: int, _data: Any) -> int:
            return int(self._protect(read, offset, width) or 0)

        def on_write(_engine: Any, offset: int, width: int, value: int, _data: Any) -> None:
            self._protect(write, offset, width, value)

        self._engine.mmio_map(base, size, on_read, None, on_write, None)

    def _hook(self, instruction: tuple[int, Any], function: Callable[..., Any]) -> None:
        number, prototype = instruction
        self._keep.append(
            add_hook(self._engine, uc.UC_HOOK_INSN, prototype, function, 1, 1, number)
        )

    def on_cpuid(self, answer: Callable[[int, int], tuple[int, int, int, int]]) -> None:
        """Let ``answer(leaf, subleaf)`` give eax, ebx, ecx, edx."""
        inputs, outputs = self.batch("rax", "rcx"), self.batch("rax", "rbx", "rcx", "rdx")

        def respond() -> None:
            leaf, subleaf = inputs.read()
            outputs.write(answer(leaf & M32, subleaf & M32))

        def hook(_engine: int, _data: int) -> int:
            self._protect(respond)
            return 1

        self._hook(_CPUID, hook)

    def on_time(self, now: Callable[[], int]) -> None:
        """Let ``now()`` answer rdtsc and rdtscp."""
        outputs = self.batch("rax", "rdx")

        def hook(_engine: int, _data: int) -> int:
            time = self._protect(now) or 0
            outputs.write((time & M32, time >> 32))
            return 1

        self._hook(INSTRUCTIONS["rdtsc"], hook)
        self._hook(INSTRUCTIONS["rdtscp"], hook)

    def on_port(
        self, read: Callable[[int, int], int], write: Callable[[int, int, int], None]
    ) -> None:
        """``read(port, size)`` answers ``in``, ``write(port, size, value)`` takes ``out``."""

        def on_in(_engine: int, port: int, size: int, _data: int) -> int:
            return int(self._protect(read, port, size) or 0) & M32

        def on_out(_engine: int, port: int, size: int, value: int, _data: int) -> None:
            self._protect(write, port, size, value)

        self._hook(INSTRUCTIONS["in"], on_in)
        self._hook(INSTRUCTIONS["out"], on_out)

    def on_syscall(self, action: Callable[[], None]) -> None:
        """Called with rip at the instruction; where the state is not changed, it does nothing."""

        def hook(_engine: int, _data: int) -> None:
            self._protect(action)

        self._hook(INSTRUCTIONS["syscall"], hook)

    def on_exception(self, action: Callable[[int], None]) -> None:
        """``action(vector)`` for every exception and software interrupt, before anything is changed."""

        def hook(_engine: Any, vector: int, _data: Any) -> None:
            self._protect(action, vector)

        self._engine.hook_add(uc.UC_HOOK_INTR, hook)

    def on_code(
        self, begin: LinearAddr, end: LinearAddr, action: Callable[[LinearAddr], None]
    ) -> None:
        """Call ``action(address)`` before each instruction of [begin, end)."""

        def hook(_engine: Any, address: int, _size: int, _data: Any) -> None:
            self._protect(action, address)

        self._engine.hook_add(uc.UC_HOOK_CODE, hook, begin=begin, end=end - 1)

    def on_translation(self, action: Callable[[LinearAddr], None]) -> None:
        """Call ``action(address)`` for one byte in each page of code that is translated, before it runs."""

        def hook(_engine: int, block: Any, _before: Any, _data: int) -> None:
            code = block.contents
            first, last = code.pc, code.pc + code.size - 1
            self._protect(action, first)
            if first // PAGE != last // PAGE:
                self._protect(action, last)

        kind = uc.UC_HOOK_EDGE_GENERATED
        self._keep.append(add_hook(self._engine, kind, EDGE_HOOK, hook))
        self._on_translation = action

    @contextlib.contextmanager
    def watched(
        self, on_code: Callable[[LinearAddr], None], on_write: Callable[[PhysAddr, bytes], None]
    ) -> Iterator[None]:
        """Meanwhile ``on_code(address)`` before each instruction, and ``on_write(address, content)`` before
        each write.  Takes a microsecond each, and all code is translated anew."""

        def code(_engine: Any, address: int, _size: int, _data: Any) -> None:
            self._protect(on_code, address)

        def write(_engine: Any, _kind: int, at: int, size: int, value: int, _data: Any) -> None:
            content = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            self._protect(on_write, at, content)

        engine = self._engine
        hooks = [
            engine.hook_add(uc.UC_HOOK_CODE, code),
            engine.hook_add(uc.UC_HOOK_MEM_WRITE, write),
        ]
        self.forget_code()
        self.is_watched = True
        try:
            yield
        finally:
            self.is_watched = False
            for hook in hooks:
                engine.hook_del(hook)
            self.forget_code()

    def forget_code(self) -> None:
        """Translate all code anew: needed after a hook was added."""
        self._engine.ctl_flush_tb()
        self._starts.clear()
