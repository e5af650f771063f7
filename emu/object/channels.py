# SPDX-License-Identifier: GPL-2.0-or-later
"""The domain's event channels: pages of ``struct evtchn``, and the page that points to them."""

from __future__ import annotations

from collections.abc import Iterator

from emu.elf import PAGE
from emu.errors import LayoutError, NotThere
from emu.object.fields import Fields
from emu.object.structures import CHANNEL_LOCK
from emu.spaces import LinearAddr

POINTERS_PER_PAGE = PAGE // 8


class Channels:
    """Those of one domain; none where this tree has no ``struct evtchn``."""

    def __init__(self, fields: Fields, domain: LinearAddr) -> None:
        layout = fields.layout
        self._fields = fields
        self._memory = fields.memory
        self._domain = domain
        self.size = layout.sizeof("struct evtchn") if layout.has("struct evtchn") else 0
        """Bytes of one; 0 where there are none."""
        if not 0 < self.size <= PAGE and layout.has("struct evtchn"):
            raise LayoutError(
                f"struct evtchn of {self.size} bytes", hint="the debug information is damaged"
            )
        self.per_page = PAGE // _next_power_of_two(self.size) if self.size else 0
        self.first = LinearAddr(0)
        """Address of the first."""
        self._group = LinearAddr(0)
        self._buckets: dict[int, bytes] = {}

    def begin(self, first: LinearAddr, group: LinearAddr) -> None:
        """Fill the page ``first`` with the first channels, and the page ``group`` with its address."""
        self.first = self.new_bucket(first, 0)
        self._group = group
        self._memory.write_int(self._group, first, 8)
        self._fields.try_set("struct domain", self._domain, "evtchn", first)
        self._fields.try_set("struct domain", self._domain, "evtchn_group[0]", self._group)
        self._fields.try_set("struct domain", self._domain, "valid_evtchns", self.per_page)

    def new_bucket(self, at: LinearAddr, first: int) -> LinearAddr:
        """Fill a page with free event channels, the first numbered ``first``."""
        if first not in self._buckets:
            self._buckets[first] = self._bucket(first)
        self._memory.write(at, self._buckets[first])
        return at

    def _bucket(self, first: int) -> bytes:
        page = bytearray(PAGE)
        if self._fields.layout.has("struct evtchn", "port"):
            port = self._fields.scalar("struct evtchn", "port")
            for number in range(self.per_page):
                offset = number * self.size + port.offset
                page[offset : offset + port.size] = (first + number).to_bytes(port.size, "little")
        return bytes(page[:PAGE])

    def add_bucket(self, at: LinearAddr) -> None:
        """Make the next bucket of ports valid, its channels in the page ``at``."""
        valid = self.valid
        self.new_bucket(at, valid)
        self._memory.write_int(self._group + 8 * (valid // self.per_page), at, 8)
        self._fields.set("struct domain", self._domain, "valid_evtchns", valid + self.per_page)

    @property
    def valid(self) -> int:
        """How many ports the domain has channels for."""
        if self._fields.has("struct domain", "valid_evtchns"):
            return self._fields.get("struct domain", self._domain, "valid_evtchns")
        return self.per_page

    def find(self, port: int) -> LinearAddr | None:
        """Address of a port's ``struct evtchn``; None for one that is not valid."""
        if not self.size or port >= min(self.valid, self.per_page * POINTERS_PER_PAGE):
            return None
        bucket = LinearAddr(self._memory.read_int(self._group + 8 * (port // self.per_page), 8))
        channel = bucket + port % self.per_page * self.size
        return channel if self._memory.covering(channel, self.size) is not None else None

    def state(self, port: int) -> int | None:
        """``state`` of a port; None for one that is not valid."""
        channel = self.find(port)
        return None if channel is None else self._fields.get("struct evtchn", channel, "state")

    def in_use(self) -> Iterator[tuple[int, int]]:
        """(port, state) of each valid port whose state is not zero.

        Most pages of channels are as they were made, and are not looked at port by port.
        """
        end = min(self.valid, self.per_page * POINTERS_PER_PAGE) if self.size else 0
        for first in range(0, end, self.per_page or 1):
            page = LinearAddr(self._memory.read_int(self._group + 8 * (first // self.per_page), 8))
            here = self._memory.covering(page, PAGE) is not None
            if here and self._memory.read(page, PAGE) == self._buckets.get(first):
                continue
            for port in range(first, min(first + self.per_page, end)):
                if state := self.state(port):
                    yield port, state

    def covers_state(self, offset: int, size: int) -> bool:
        """Whether bytes of one channel are, among others, of its state."""
        state = self._fields.scalar("struct evtchn", "state")
        return offset < state.offset + state.size and state.offset < offset + size

    def port_at(self, channel: LinearAddr) -> int | None:
        """The port whose ``struct evtchn`` is at an address; None where no valid one's is."""
        return next((port for port in range(self.valid) if self.find(port) == channel), None)

    def is_locked(self, port: int) -> bool:
        """Whether a port has a lock that its takers count in place, and it is taken."""
        channel = self.find(port)
        if channel is None or not self._fields.has("struct evtchn", CHANNEL_LOCK):
            return False
        return self._fields.get("struct evtchn", channel, CHANNEL_LOCK) != 0

    def set(self, port: int, state: int, vcpu: int = 0) -> None:
        channel = self.find(port)
        if channel is None:
            raise NotThere(f"port {port} of the scenario has no struct evtchn")
        self._fields.set("struct evtchn", channel, "state", state)
        self._fields.try_set("struct evtchn", channel, "notify_vcpu_id", vcpu)


def _next_power_of_two(value: int) -> int:
    return 1 << (value - 1).bit_length()
