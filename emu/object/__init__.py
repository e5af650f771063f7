# SPDX-License-Identifier: GPL-2.0-or-later
"""The object level: one `.o` at an address, a world around it, and calls into it from a snapshot.

Everything outside of the object is a model: undefined functions are stubs of one `ret` under a hook,
undefined variables get room and a value from the profile, L0 answers behind the hypercall page.

    core, tables               the object at its place
    memory, places, fields     what it finds around it:
    world, channels, values
    context, models, boundary  what happens where it leaves its own code
    machine, run               one call, and what came of it
    invariants, expectations, leaving      what is right
    judge, selection, coverage, share, emulate    every case in every way, to a report
"""

from emu.object.emulate import ShareReport, emulate_object, emulate_share, join
from emu.object.judging import Depth
from emu.object.share import Pile, Share

__all__ = ["Depth", "Pile", "Share", "ShareReport", "emulate_object", "emulate_share", "join"]
