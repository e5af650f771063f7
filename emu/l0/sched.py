# SPDX-License-Identifier: GPL-2.0-or-later
"""Scheduling and the end of the domain (public sched.h)."""

from __future__ import annotations

from emu import abi
from emu.l0.domain import Domain, Operation, Request


def _yield(l0: Domain, request: Request) -> int:
    return 0


def _shutdown(l0: Domain, request: Request) -> int:
    """Only a suspended domain ever comes back from this: with 1 where it never went, else with 0."""
    l0.reason = request.fields["reason"]
    l0.down = l0.reason != abi.CONSTANTS["SHUTDOWN_suspend"]
    if l0.down:
        return 0
    if l0.setup.suspend == 0:
        l0.resume()
    return l0.setup.suspend


OPERATIONS = {
    "SCHEDOP_yield": Operation(_yield, fallible=False),
    "SCHEDOP_shutdown": Operation(_shutdown, fallible=False),
}
