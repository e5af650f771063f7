# SPDX-License-Identifier: GPL-2.0-or-later
"""The emergency console, the daemon behind the console ring, and which version this is (public xen.h,
io/console.h, version.h)."""

from __future__ import annotations

import struct

from emu import abi
from emu.l0.domain import EFAULT, EINVAL, Domain, Operation, Request

MAX_CONSOLE = 1 << 16
OUT, OUT_SIZE, OUT_CONS = 1024, 2048, 0xC08
"""Of ``struct xencons_interface``; the producer's index follows."""


def _version(l0: Domain, request: Request) -> int:
    major, minor = l0.setup.version
    return major << 16 | minor


def _write(l0: Domain, request: Request) -> int:
    size = request.arguments[1] & 0xFFFFFFFF
    if size > MAX_CONSOLE:
        return -EINVAL
    text = l0.read(request, request.pointer, size)
    if text is None:
        return -EFAULT
    if len(l0.console) < MAX_CONSOLE:
        l0.console.extend(text)
    return 0


def serve_ring(l0: Domain, port: int) -> None:
    """The domain has signalled its console's port: the daemon reads all that is in the ring."""
    frame = l0.params.get(abi.CONSTANTS["HVM_PARAM_CONSOLE_PFN"])
    if l0.params.get(abi.CONSTANTS["HVM_PARAM_CONSOLE_EVTCHN"]) != port or not frame:
        return
    page = l0.hardware.frame(frame) if l0.hardware is not None else None
    if page is None:
        return
    cons, prod = struct.unpack_from("<II", page, OUT_CONS)
    for at in range(cons, min(prod, cons + OUT_SIZE)):
        if len(l0.console) < MAX_CONSOLE:
            l0.console.append(page[OUT + at % OUT_SIZE])
    struct.pack_into("<I", page, OUT_CONS, prod)


OPERATIONS = {
    "XENVER_version": Operation(_version, fallible=False),
    "CONSOLEIO_write": Operation(_write),
}
