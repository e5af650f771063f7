# SPDX-License-Identifier: GPL-2.0-or-later
"""What blob ids prove, and what they leave open where a file comes back to the base's content."""

from __future__ import annotations

from series.ordering.blobs import Chains, find_chains
from tests.series.strategies import DictBase, change, patch

BASE, B, C, D = b"base\n", b"b\n", b"c\n", b"d\n"


def chains(*steps: tuple[bytes, bytes]) -> Chains:
    """One patch a step, each from one content of the file to another, on the base."""
    patches = [
        patch(f"p{n}", change(b"f", old, new, blobs=True)) for n, (old, new) in enumerate(steps)
    ]
    return find_chains(patches, DictBase({b"f": BASE}), range(len(patches)))


def linked(found: Chains) -> set[tuple[int, int]]:
    return {(link.before, link.after) for link in found.links}


def test_each_starts_from_what_the_one_before_leaves() -> None:
    found = chains((B, C), (BASE, B), (C, D))
    assert linked(found) == {(1, 0), (0, 2)}
    assert not found.rivals


def test_what_starts_from_the_base_is_no_stranger() -> None:
    found = chains((BASE, B), (C, D))
    assert [number for number, _ in found.strangers] == [1]


def test_a_revert_to_the_base_does_not_come_before_the_patch_that_it_reverts() -> None:
    assert linked(chains((BASE, B), (B, BASE))) == {(0, 1)}


def test_who_starts_from_the_base_need_not_wait_for_a_revert_to_it() -> None:
    """Three start from the base, and one leads back there: which of them follows it is open."""
    found = chains((BASE, B), (B, BASE), (BASE, C), (BASE, D))
    assert linked(found) == {(0, 1)}
    assert found.rivals == ((0, 2, b"f"), (2, 3, b"f"))


def test_two_for_the_same_version_are_rivals() -> None:
    found = chains((BASE, B), (BASE, C))
    assert found.rivals == ((0, 1, b"f"),)
    assert not found.links
