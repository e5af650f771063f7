# SPDX-License-Identifier: GPL-2.0-or-later
"""Physical memory of the machine, and its snapshot.

The pages lie in a memory file.  Until the snapshot they are shared with it; at the snapshot the same
addresses are mapped privately, so that nothing is copied then, and afterwards `restore` could throw the
pages that were written away (madvise).  That takes 9 µs, but each page that is touched again, if only to be
read, then costs a fault of the host: for a hypercall as much as all the rest.  So the pages that calls write
are learned, from the host's page table, and copied back; the host's count of faults tells when a page was
touched that was not before.

Frames outside of RAM (those that L0 maps where its caller asks) come from a few spare pages behind it,
so that they are part of the snapshot too.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from emu.elf import PAGE
from emu.spaces import PhysAddr

SPARE_PAGES = 256
"""More than the scenarios ask for; a guest that has all its grant frames uses half of them."""
MAX_FRAME = 1 << 40
LEARN_AFTER = 32
LOOKINGS = 48
"""How often it may be looked in vain; each costs as much as two restores without."""
MAX_HOT = 128
_OURS = bytes(kind >> 7 & 1 and not kind >> 5 & 1 for kind in range(256))
"""Of the highest byte of a page's entry: 63 is present, 61 of the file."""
_MADV_DONTNEED = 4
_MAP_FAILED = ctypes.c_void_p(-1).value
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_MAP_FIXED = 0x10


class BadAddress(Exception):
    """No memory at this physical address."""

    def __init__(self, address: PhysAddr) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f"no memory at physical address {self.address:#x}"


class Ram:
    """``size`` bytes from 0, and spare pages wherever they are asked for."""

    def __init__(self, size: int, on_page: Callable[[PhysAddr, int], None]) -> None:
        """``on_page(address, host pointer)`` is told of each spare page that is put somewhere."""
        self.size = size
        self._total = size + SPARE_PAGES * PAGE
        self._on_page = on_page
        self._file = os.memfd_create("ram", os.MFD_CLOEXEC)
        try:
            os.ftruncate(self._file, self._total)
            self.pointer = self._map(0, mmap.MAP_SHARED)
        except BaseException:
            os.close(self._file)
            raise
        self._finish = weakref.finalize(self, _release, self.pointer, self._total, self._file)
        buffer = (ctypes.c_char * self._total).from_address(self.pointer)
        self.view = memoryview(buffer).cast("B")
        self.words = self.view.cast("Q")
        self._extra: dict[int, int] = {}
        """Frame to offset in the file, outside of RAM."""
        self._placed: dict[int, int] = {}
        """As above, with those that were put there in the future of the snapshot: for the processor
        they stay, since to take them away costs it all its translated code."""
        self._kept: dict[int, int] = {}
        self._private = False
        """Mapped so that writes do not reach the file: there is a snapshot."""
        self._hot: dict[int, bytes] = {}
        """Offset and content of pages that are copied back; to write any other would be a fault."""
        self._faults = 0
        self._thrown = 0
        """How often everything was thrown away since the last lesson."""
        self._patience = LEARN_AFTER
        self._lookings = 0

    def _map(self, at: int, kind: int) -> int:
        found = _libc.mmap(
            at or None, self._total, mmap.PROT_READ | mmap.PROT_WRITE, kind, self._file, 0
        )
        if found is None or found == _MAP_FAILED:
            raise MemoryError(f"{self._total} bytes of memory for the machine")
        return int(found)

    def close(self) -> None:
        """Give the memory back; nothing may use it any more."""
        self._finish()

    def page(self, frame: int) -> int:
        """Offset of a frame that L0 has somewhere; a spare page where there was none.  -1: none left."""
        if frame * PAGE + PAGE <= self.size:
            return frame * PAGE
        if frame not in self._extra:
            if frame not in self._placed:
                if len(self._placed) >= SPARE_PAGES or frame * PAGE >= MAX_FRAME:
                    return -1
                offset = self.size + len(self._placed) * PAGE
                self._placed[frame] = offset
                self._on_page(PhysAddr(frame * PAGE), self.pointer + offset)
            self._extra[frame] = self._placed[frame]
        return self._extra[frame]

    def placed(self) -> Iterator[tuple[PhysAddr, int]]:
        """(address, host pointer) of the spare pages that are somewhere."""
        for frame, offset in self._placed.items():
            yield PhysAddr(frame * PAGE), self.pointer + offset

    def offset(self, physical: PhysAddr, size: int = 1) -> int:
        """Where in `view` these bytes are; they must not cross a page outside of RAM."""
        if physical + size <= self.size:
            return physical
        at = self._extra.get(physical // PAGE)
        if at is None or physical % PAGE + size > PAGE:
            raise BadAddress(physical)
        return at + physical % PAGE

    def read(self, physical: PhysAddr, size: int) -> bytes:
        at = self.offset(physical, size)
        return bytes(self.view[at : at + size])

    def write(self, physical: PhysAddr, content: bytes) -> None:
        at = self.offset(physical, len(content))
        self.view[at : at + len(content)] = content

    def word(self, physical: PhysAddr) -> int:
        """Eight bytes, aligned."""
        if physical + 8 <= self.size:
            return self.words[physical >> 3]
        return self.words[self.offset(physical, 8) >> 3]

    def find(self, content: bytes) -> list[int]:
        """Pages of RAM that begin with ``content``."""
        found, data, at = [], self.view[: self.size], 0
        whole = bytes(data)
        while (at := whole.find(content, at)) >= 0:
            if at % PAGE == 0:
                found.append(at)
            at += 1
        return found

    def snapshot(self) -> None:
        """Remember everything as it is now, instead of what was remembered before."""
        if self._private:
            for page in self._written():
                at = page * PAGE
                os.pwrite(self._file, self.view[at : at + PAGE], at)
        self._private = True
        self._map(self.pointer, mmap.MAP_PRIVATE | _MAP_FIXED)
        self._hot = {}
        self._thrown, self._patience, self._lookings = 0, LEARN_AFTER, LOOKINGS
        self._kept = dict(self._extra)
        before = _faults()
        self.view[0] = self.view[0]
        if _faults() == before:  # a host that does not count them
            self._patience = self._lookings = 0

    def restore(self) -> None:
        """Put it back."""
        if self._hot and _faults() == self._faults:
            self._copy_back()
            self._lookings = min(self._lookings + 1, LOOKINGS)
        else:
            self._look_or_throw_away()
        if len(self._extra) != len(self._kept):
            self._extra = dict(self._kept)
        self._faults = _faults()

    def _copy_back(self) -> None:
        view = self.view
        for at, content in self._hot.items():
            view[at : at + PAGE] = content

    def _look_or_throw_away(self) -> None:
        """Some page was touched that had not been before: which of them were written is looked at, so that
        those that were only read stay where they are, and the next call touches none anew.

        Where that does not come to an end, everything is thrown away for some time.
        """
        if self._lookings:
            written = self._written()
            if len(written) <= MAX_HOT:
                self._lookings -= 1
                for page in written:
                    at = page * PAGE
                    if at not in self._hot:
                        self._hot[at] = os.pread(self._file, PAGE, at)
                self._copy_back()
                return
        self._hot = {}
        self._thrown += 1
        if self._thrown == self._patience:
            self._thrown, self._lookings = 0, LOOKINGS
            self._patience *= 2
        _libc.madvise(self.pointer, self._total, _MADV_DONTNEED)

    def _written(self) -> list[int]:
        """Pages that are ours alone by now: present, and no longer of the file (proc(5), pagemap)."""
        first, count = self.pointer // PAGE, self._total // PAGE
        with Path("/proc/self/pagemap").open("rb", buffering=0) as table:
            table.seek(first * 8)
            kinds = table.read(count * 8)[7::8].translate(_OURS)
        found, at = [], kinds.find(1)
        while at >= 0:
            found.append(at)
            at = kinds.find(1, at + 1)
        return found


def _faults() -> int:
    """How many pages this thread has faulted in so far."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def _release(pointer: int, size: int, file: int) -> None:
    _libc.munmap(pointer, size)
    os.close(file)
