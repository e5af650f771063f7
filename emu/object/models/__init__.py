# SPDX-License-Identifier: GPL-2.0-or-later
"""Models of the functions that a core calls and that live elsewhere in its hypervisor.

A profile says which symbol has which model.  Each model does what its callers can observe and
nothing else; each that can fail asks the plan first.

    callee      what a model is
    guest_copy  copies from and to the guest
    locks       spin locks
    heap        heap, unused pages, range sets
    domheap     pages of the hypervisor itself
    evtchn      the hypervisor's own event channel operations
    pages       the guest's start info page
    vcpus       pausing, resetting, processors
    others      console, what only talks
"""

from emu.errors import ProfileError
from emu.object.models import domheap, evtchn, guest_copy, heap, locks, others, pages, vcpus
from emu.object.models.callee import Model, in_rax
from emu.profile import Profile

MODELS: dict[str, Model] = {
    **guest_copy.MODELS,
    **locks.MODELS,
    **heap.MODELS,
    **domheap.MODELS,
    **evtchn.MODELS,
    **pages.MODELS,
    **vcpus.MODELS,
    **others.MODELS,
}


def models_of(profile: Profile) -> dict[str, Model]:
    """The model of each symbol that the profile names; `ProfileError` for one that nobody wrote."""
    found = {}
    for symbol, extern in profile.externs.items():
        if extern.model not in MODELS:
            known = ", ".join(sorted(MODELS))
            where = f"{profile.origin}: externs.{symbol}"
            raise ProfileError(f"no model {extern.model!r}; there are: {known}", where)
        found[symbol] = MODELS[extern.model]
    return found


__all__ = ["MODELS", "Model", "in_rax", "models_of"]
