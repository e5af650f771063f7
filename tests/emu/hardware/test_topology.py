# SPDX-License-Identifier: GPL-2.0-or-later
"""Processors are cores of one package, as an image works that out (SDM volume 3, 9.9.3).

A package each is what no toolstack of Xen's makes: Xen 4.12's credit2 then keeps a queue for each, and the
guest's second vCPU waits in the queue of a processor that it may not run on.
"""

from __future__ import annotations

import pytest

from emu.cpu import native_cpuid
from emu.hardware.platform import Cpuid, Leaf

HTT = 1 << 28


def by_legacy(answer: Cpuid, vcpu: int) -> tuple[int, int]:
    """(package, core) by leaves 1 and 4."""
    _, ebx, _, edx = answer.answer(vcpu, 1, 0)
    assert edx & HTT
    cores = (answer.answer(vcpu, 4, 0)[0] >> 26) + 1
    numbers, apic = ebx >> 16 & 0xFF, ebx >> 24
    threads = max(numbers // cores, 1)
    return apic >> (numbers - 1).bit_length(), apic % numbers // threads


def by_leaf_b(answer: Cpuid, vcpu: int) -> tuple[int, int]:
    """(package, core) by leaf 0xB."""
    shifts = {}
    for level in range(3):
        eax, ebx, ecx, edx = answer.answer(vcpu, 0xB, level)
        assert ecx & 0xFF == level
        if ebx:
            shifts[ecx >> 8 & 0xFF] = eax
    apic = edx
    return apic >> shifts[2], (apic & (1 << shifts[2]) - 1) >> shifts[1]


@pytest.mark.parametrize("vcpus", [1, 2, 3, 4, 32])
def test_processors_are_cores_of_one_package(vcpus: int) -> None:
    answer = Cpuid(native_cpuid, (4, 17), lambda: 1, vcpus)
    for way in (by_legacy, by_leaf_b):
        places = [way(answer, vcpu) for vcpu in range(vcpus)]
        assert {package for package, _ in places} == {0}
        assert len({core for _, core in places}) == vcpus


def test_no_cache_is_shared_where_there_is_none() -> None:
    def none(leaf: int, subleaf: int) -> Leaf:
        return 0, 0, 0, 0

    assert Cpuid(none, (4, 17), lambda: 1, 2).answer(0, 4, 9) == (0, 0, 0, 0)
