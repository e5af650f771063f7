# SPDX-License-Identifier: GPL-2.0-or-later
"""What a booted guest lives through, each in a row of the table.

telling       what a story is, and how it is run from the snapshot
arrivals      events and the timer, whatever the guest is doing
consoles      what it writes, and what is typed
pv_console    L0's console in the hands of the image, which is booted once more for it
hotplug       memory given back and taken again
start_of_day  what it is told of what it has
first_memory  which frames it has, and how they are mapped
suspend       suspended and resumed, or not
outlived      what was to come then
runstates     how long each vcpu of it runs and waits
own_memory    what it has of each vcpu in memory of its own
second        its second vcpu; these begin with that one brought up
"""

from emu.booted.stories import (
    arrivals,
    consoles,
    first_memory,
    hotplug,
    outlived,
    own_memory,
    runstates,
    second,
    start_of_day,
    suspend,
)

STORIES = (
    *start_of_day.STORIES,
    *first_memory.STORIES,
    *arrivals.STORIES,
    *consoles.STORIES,
    *hotplug.STORIES,
    *suspend.STORIES,
    *outlived.STORIES,
    *runstates.STORIES,
    *own_memory.STORIES,
    *second.BEFORE_IT,
)
"""Of a guest with one vcpu."""

__all__ = ["STORIES"]
