# SPDX-License-Identifier: GPL-2.0-or-later
"""What a whole machine calls back for besides: devices, exceptions, instructions that need an answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from emu.cpu.engine import EDGE_HOOK, INSTRUCTIONS, M32, uc
from emu.cpu.hooks import Hooks
from emu.elf import PAGE
from emu.spaces import LinearAddr, PhysAddr


class MachineHooks(Hooks):
    """The callbacks of one processor of a machine."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._on_translation: Callable[[LinearAddr], None] | None = None
        self._starts: set[LinearAddr] = set()
        """Where runs have begun: what is there is translated by now."""
        self.is_watched = False
        """Every write is reported (`watched`): none may go another way."""

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

    def on_time(self, now: Callable[[], int]) -> None:
        """Let ``now()`` answer rdtsc and rdtscp."""
        outputs = self.batch("rax", "rdx")

        def hook(_engine: int, _data: int) -> int:
            time = self._protect(now) or 0
            outputs.write((time & M32, time >> 32))
            return 1

        self._hook_instruction(INSTRUCTIONS["rdtsc"], hook)
        self._hook_instruction(INSTRUCTIONS["rdtscp"], hook)

    def on_port(
        self, read: Callable[[int, int], int], write: Callable[[int, int, int], None]
    ) -> None:
        """``read(port, size)`` answers ``in``, ``write(port, size, value)`` takes ``out``."""

        def on_in(_engine: int, port: int, size: int, _data: int) -> int:
            return int(self._protect(read, port, size) or 0) & M32

        def on_out(_engine: int, port: int, size: int, value: int, _data: int) -> None:
            self._protect(write, port, size, value)

        self._hook_instruction(INSTRUCTIONS["in"], on_in)
        self._hook_instruction(INSTRUCTIONS["out"], on_out)

    def on_syscall(self, action: Callable[[], None]) -> None:
        """Called with rip at the instruction; where the state is not changed, it does nothing."""

        def hook(_engine: int, _data: int) -> None:
            self._protect(action)

        self._hook_instruction(INSTRUCTIONS["syscall"], hook)

    def on_exception(self, action: Callable[[int], None]) -> None:
        """``action(vector)`` for every exception and software interrupt, before anything is changed."""

        def hook(_engine: Any, vector: int, _data: Any) -> None:
            self._protect(action, vector)

        self._engine.hook_add(uc.UC_HOOK_INTR, hook)

    def on_translation(self, action: Callable[[LinearAddr], None]) -> None:
        """Call ``action(address)`` for one byte in each page of code that is translated, before it runs."""

        def hook(_engine: int, block: Any, _before: Any, _data: int) -> None:
            code = block.contents
            first, last = code.pc, code.pc + code.size - 1
            self._protect(action, first)
            if first // PAGE != last // PAGE:
                self._protect(action, last)

        self._hook(uc.UC_HOOK_EDGE_GENERATED, EDGE_HOOK, hook)
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
