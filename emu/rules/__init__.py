# SPDX-License-Identifier: GPL-2.0-or-later
"""What is always wrong, once for both levels of emulation.

asking       how L0 is asked
base         what a rule is, and what most of them look at
conventions  locks, SMAP, registers
ends         calls that bring the domain down
failures     what fails below must show above
resources    ports, pages, heap
runstate     what a guest is told of the time of its vcpus
state        event channels, shared page, memory
suspended    what a suspend must not lose
translation  the guest's structure, on the way down and up
expected     what a scenario expects besides

No rule knows of a particular defect, and none is tuned to a core.  Each is given what a level can observe of
a call (`emu.object.observed`, `emu.booted.observed`, which also list the rules of their level).  What can
only be seen while a core runs (a deadlock, a bad unlock, a direct access under SMAP, a page given back twice)
is noted where it happens: `emu.object.context` and `emu.object.boundary`.
"""

from emu.rules.base import Broken, Rule

__all__ = ["Broken", "Rule"]
