# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory that a guest finds when it begins (public xen.h, start-of-day memory layout).

Three things say which frame a page of it is: its page tables, its list of frames, and the machine's table of
all frames, which goes the other way.  They agree, or the guest hands L0 a frame that is none of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from emu import abi
from emu.abi import Mode
from emu.booted.guest import WORD, Guest, NoAnswer
from emu.booted.paging import Mapping as Page
from emu.booted.paging import NotMapped
from emu.booted.stories.telling import Came, Story
from emu.elf import PAGE
from emu.findings.boot_report import Treatment
from emu.guest.kernel import BASE
from emu.hardware.platform import GUEST_COMMAND_LINE
from emu.spaces import LinearAddr


class FirstMemory:
    """As the guest finds it; raises NoAnswer where its builder keeps no such list."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.mode = guest.kernel.mode
        self._linear = guest.machine.linear
        layout = abi.START_OF_DAY[self.mode]
        self._told = layout.decode(self._linear.read(guest.drive.start_info, layout.size))
        if not self._told["mfn_list"]:
            raise NoAnswer("the guest is given no list of its frames")
        self._no_list = ""
        self.frames = self._listed()
        """By the guest's own numbers of its pages."""
        self.pages = dict(self._mapped())
        """Those that are mapped where the guest begins, by address."""

    def _listed(self) -> list[int]:
        """What the list has; nothing where it cannot be, and `_no_list` is why."""
        at, count = LinearAddr(self._told["mfn_list"]), self._told["nr_pages"]
        there = self.guest.machine.settings.memory // PAGE
        if count > there:
            self._no_list = f"start_info has {count:#x} pages, and the machine has {there:#x}"
            return []
        try:
            return self._numbers(at, count)
        except NotMapped:
            self._no_list = f"the guest's list of frames, at {at:#x}, is not mapped"
            return []

    def _numbers(self, at: LinearAddr, count: int) -> list[int]:
        width = WORD[self.mode]
        raw = self._linear.read(at, width * count)
        return [int.from_bytes(raw[n : n + width], "little") for n in range(0, len(raw), width)]

    def _mapped(self) -> Iterator[tuple[LinearAddr, Page]]:
        root = self._linear.cr3()
        for number in range(len(self.frames)):
            at = BASE[self.mode] + number * PAGE
            try:
                yield at, self._linear.walk(at, root)
            except NotMapped:
                continue

    def _is_table(self, at: LinearAddr) -> bool:
        begin = self._told["pt_base"]
        return begin <= at < begin + self._told["nr_pt_frames"] * PAGE

    # --- what is wrong with it ---

    def no_list(self) -> Iterator[str]:
        """That there is no list where it is said to be."""
        if self._no_list:
            yield self._no_list

    def other_frames(self) -> Iterator[str]:
        """Pages that are mapped to another frame than the list has."""
        for at, page in self.pages.items():
            number = (at - BASE[self.mode]) // PAGE
            frame, listed = page.physical // PAGE, self.frames[number]
            if frame != listed:
                mapped = f"{at:#x} is mapped to {frame:#x}"
                yield f"page {number:#x} is frame {listed:#x} by the guest's list, and {mapped}"

    def twice(self) -> Iterator[str]:
        """Frames that the list has more than once."""
        seen: dict[int, int] = {}
        for number, frame in enumerate(self.frames):
            first = seen.setdefault(frame, number)
            if first != number:
                yield f"frame {frame:#x} is page {first:#x} and page {number:#x} by the guest's list"

    def not_back(self) -> Iterator[str]:
        """Frames from which the machine's table leads to another page, as far as it is there."""
        width, per_page = WORD[self.mode], PAGE // WORD[self.mode]
        read: dict[int, list[int]] = {}
        for number, frame in enumerate(self.frames):
            part, at = divmod(frame, per_page)
            if part not in read:
                begin = LinearAddr(abi.MACH2PHYS[self.mode] + part * per_page * width)
                try:
                    read[part] = self._numbers(begin, per_page)
                except NotMapped:
                    read[part] = []
            if read[part] and read[part][at] != number:
                back = f"{read[part][at]:#x} by the machine's"
                yield f"frame {frame:#x} is page {number:#x} by the guest's list, and {back}"

    def badly_mapped(self) -> Iterator[str]:
        """All is mapped read-write, but for the page tables, which are read-only; for its ring, too (item 8
        of the layout)."""
        if not self._told["pt_base"]:
            return
        for at, page in self.pages.items():
            if self._is_table(at) and page.writable:
                yield f"{at:#x}, which is of the guest's page tables, is mapped writable"
            elif not self._is_table(at) and not page.writable:
                yield f"{at:#x}, which is none of the guest's page tables, is mapped read-only"
            if self.mode is Mode.NATIVE and not page.user:
                yield f"{at:#x} is not mapped for its ring"

    def other_words(self) -> Iterator[str]:
        """The command line that the loader has for it; a hypervisor may add to it."""
        offset, size = abi.CMD_LINE[self.mode]
        raw = self._linear.read(self.guest.drive.start_info + offset, size)
        words = raw.partition(b"\0")[0]
        if GUEST_COMMAND_LINE not in words.split():
            yield f"the guest's command line is {words!r}, the loader has {GUEST_COMMAND_LINE!r}"


KINDS: tuple[Callable[[FirstMemory], Iterator[str]], ...] = (
    FirstMemory.no_list,
    FirstMemory.other_frames,
    FirstMemory.twice,
    FirstMemory.not_back,
    FirstMemory.badly_mapped,
    FirstMemory.other_words,
)


def amiss(memory: FirstMemory) -> Iterator[str]:
    """The first thing of each kind, and how many more there are."""
    for kind in KINDS:
        first, *more = [*kind(memory), ""]
        if first:
            yield first + (f" ({len(more) - 1} more of this kind)" if len(more) > 1 else "")


def given(guest: Guest) -> Came:
    memory = FirstMemory(guest)
    note = f"{len(memory.frames)} pages, {len(memory.pages)} of them mapped"
    return Came(Treatment.LOCAL, note, 0, tuple(amiss(memory)))


STORIES = (Story("first memory", "start info", given, entry="event_channel_op"),)
