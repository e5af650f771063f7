# SPDX-License-Identifier: GPL-2.0-or-later
"""The emergency console, and which version this is (public xen.h, version.h)."""

from __future__ import annotations

from emu.l0.domain import EFAULT, EINVAL, Domain, Operation, Request

MAX_CONSOLE = 1 << 16


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


OPERATIONS = {
    "XENVER_version": Operation(_version, fallible=False),
    "CONSOLEIO_write": Operation(_write),
}
