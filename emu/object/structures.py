# SPDX-License-Identifier: GPL-2.0-or-later
"""The core's structures, and the fields of them that anything here reads or writes.

A probe is asked for these (`emu.object.probe`), since the core's own debug information may lack a type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from emu.object.addresses import COMPAT_FLAG, COMPAT_START
from emu.profile import Profile

RWLOCK_COUNT = "cnts.counter"
"""Of ``rwlock_t``: readers and a writer in one word, without a call where it is free (4.15 and later)."""
CHANNEL_LOCK = f"lock.{RWLOCK_COUNT}"
"""Of a channel, where it is such a lock."""
PAGE_OWNER = "v.inuse._domain"
"""The owner of a page; 0 where it has none.  free_domheap_pages() (common/page_alloc.c) reads it first."""
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "struct cpu_info": ("current_vcpu", "processor_id", "guest_cpu_user_regs.rdx"),
    "struct domain": (
        *("domain_id", "max_vcpus", "vcpu", "guest_type", "shared_info", "tot_pages"),
        *("max_evtchns", "max_evtchn_port", "valid_evtchns", "evtchn", "evtchn_group[0]"),
        *(COMPAT_FLAG, COMPAT_START),
    ),
    "struct vcpu": ("domain", "vcpu_id", "is_initialised", "next_in_list"),
    "struct evtchn": ("port", "state", "notify_vcpu_id", CHANNEL_LOCK),
    "struct shared_info": ("evtchn_mask",),
    "struct page_info": ("count_info", PAGE_OWNER),
}
"""Whatever the profile; it adds its locks, and what its scenarios set or look at."""


def asked_of(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Every field that a core under this profile may be asked for, by its type."""
    found = {name: dict.fromkeys(paths) for name, paths in _FIELDS.items()}
    for path in _named(profile):
        owner, _, field = path.partition(".")
        kind = {"domain": "domain", "cpu": "cpu_info"}.get(owner, owner.rstrip("0123456789"))
        found[f"struct {kind}"].setdefault(field)
    for name, fields in profile.uses.items():
        found[name] |= dict.fromkeys(fields)
    for table in profile.tables:
        found[table.type_name] = dict.fromkeys(table.functions)
    return {name: tuple(paths) for name, paths in found.items()}


def _named(profile: Profile) -> Iterator[str]:
    for extern in profile.externs.values():
        for lock in (*extern.locks, *extern.takes):
            yield lock
            yield f"{lock}.{RWLOCK_COUNT}"
    for table in profile.tables:
        yield table.at
    for scenario in profile.scenarios:
        for path, _ in (*scenario.state, *scenario.leaves):
            yield path
