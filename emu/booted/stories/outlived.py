# SPDX-License-Identifier: GPL-2.0-or-later
"""What was to come when the guest suspended: nothing of it in a new domain, which has its guest's memory and
registers alone; all of it where nothing came of the suspend (public sched.h, SCHEDOP_shutdown).
"""

from __future__ import annotations

from emu import abi
from emu.booted.guest import Guest, NoAnswer
from emu.booted.stories.arrivals import SOON, refused, set_timer
from emu.booted.stories.suspend import elsewhere, nowhere, suspend
from emu.booted.stories.telling import Came, Story
from emu.findings.boot_report import Treatment

WATCHDOG = "SCHEDOP_watchdog"
SECONDS = 60
"""Until the watchdog: longer than anything here takes."""


def _watchdog(guest: Guest) -> Came:
    """It is known by its number, as long as it is there."""
    number = guest.call(WATCHDOG, id=0, timeout=SECONDS).result
    none = refused(number)
    if none is not None:
        return none
    if number is None or number <= 0:
        raise NoAnswer(f"{WATCHDOG}: {abi.result_name(number)}")
    answer = _suspended(guest)
    again = guest.call(WATCHDOG, id=number, timeout=SECONDS).result or 0
    wrong: tuple[str, ...] = ()
    if answer == 0 and again >= 0:
        wrong = ("a watchdog that the guest has set before a suspend is there after it",)
    elif answer and again < 0:
        wrong = (f"a watchdog is gone after a cancelled suspend: {abi.result_name(again)}",)
    return Came(Treatment.FORWARDED, "", answer, wrong)


def _timer(guest: Guest) -> Came:
    """Nothing came of the suspend: the timer does."""
    port = set_timer(guest)
    answer = _suspended(guest)
    end, devices = guest.machine.now() + 2 * SOON, guest.machine.devices
    devices.at(end, lambda: None)
    guest.drive.wait_for(lambda: devices.clock.ticks >= end or guest.pending(port))
    wrong: tuple[str, ...] = ()
    if not guest.pending(port):
        wrong = ("the guest's timer, which was set before a cancelled suspend, does not come",)
    return Came(Treatment.FORWARDED, "", answer, wrong)


def _suspended(guest: Guest) -> int:
    answer = suspend(guest)
    if answer not in (0, 1):
        raise NoAnswer(f"the suspend comes to {abi.result_name(answer)}")
    return answer


CANCELLED = "{} and a suspend that is cancelled"
STORIES = (
    Story("watchdog and a resume", WATCHDOG, _watchdog, elsewhere, "shutdown"),
    Story(CANCELLED.format("watchdog"), WATCHDOG, _watchdog, nowhere, "shutdown"),
    Story(CANCELLED.format("timer"), "VIRQ_TIMER", _timer, nowhere, "shutdown"),
)
