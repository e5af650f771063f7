# SPDX-License-Identifier: GPL-2.0-or-later
"""The object level: one `.o` at an address, a world around it, and calls into it from a snapshot.

Everything outside of the object is a model: undefined functions are stubs of one `ret` under a hook,
undefined variables get room and a value from the profile, L0 answers behind the hypercall page.

The object and its world:
    core                the object at its place
    alternatives, tables  what a loader makes of it
    thunks              branches that its compiler makes through code elsewhere
    addresses, regions  the memory that it finds
    fields, structures  its types, by name
    world, channels     stack, domain, vcpus, event channels
    values              what a scenario's names stand for there
    doubts              whether that can be
    probe               what the tree itself says of constants and types
    borrowed            where a core may look in types that the probe alone describes

A call:
    context, models     what happens where it leaves its own code
    boundary, claims    the hooks that notice
    machine             from a snapshot into the core and back
    call                what came of it
    suspension          how the domain stood before and after a suspend

What becomes of it:
    selection, share    which cases are wanted, and by which process
    inputs              arguments that nobody thought of
    observed            what is seen of a call, and the rules that are checked
    expectations        what a scenario asks for besides
    leaving             what must not depend on the stack
    judging             one case in every way
    numbers             whether a probe's constants can be the core's
    coverage            what ran
    emulate             an object in, a report out
    facts               what is known of it before
"""

from emu.object.emulate import ShareReport, emulate_object, emulate_share, join
from emu.object.judging import Depth
from emu.object.share import Pile, Share

__all__ = ["Depth", "Pile", "Share", "ShareReport", "emulate_object", "emulate_share", "join"]
