# SPDX-License-Identifier: GPL-2.0-or-later
"""What a domain has in L0 at one moment, to compare with another moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emu import abi
from emu.l0.domain import Domain


@dataclass(frozen=True, slots=True)
class Standing:
    """Each thing in words, and how it stands."""

    own: Mapping[str, str]
    """What the image has set up for itself, so as to be told of events."""
    other: Mapping[str, str] = field(default_factory=dict)
    """Ports and frames, and whatever else a level can see: in a new domain they are gone."""
    rights: tuple[str, ...] = ()
    """What the image lets its guest have of what it has from L0."""


def standing(l0: Domain) -> Standing:
    """As it is now."""
    own = {f"the upcall vector of vcpu {n}": f"{v:#x}" for n, v in l0.upcall_vectors.items()}
    own |= {
        f"the vcpu_info of vcpu {n}": f"at {f:#x}+{o:#x}" for n, (f, o) in l0.vcpu_infos.items()
    }
    callback = l0.params.get(abi.CONSTANTS["HVM_PARAM_CALLBACK_IRQ"], 0)
    if callback:
        own["HVM_PARAM_CALLBACK_IRQ"] = f"{callback:#x}"
    other = {}
    shared_info = abi.CONSTANTS["XENMAPSPACE_shared_info"]
    for frame, (space, index) in l0.mapped.items():
        if space == shared_info:
            own["L0's shared info"] = f"at frame {frame:#x}"
        else:
            other[f"grant frame {index}"] = f"at frame {frame:#x}"
    for number, port in l0.ports.items():
        other[f"port {number} of L0"] = f"{port.state} on vcpu {port.vcpu}"
    return Standing(own, other)
