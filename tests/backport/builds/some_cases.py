# SPDX-License-Identifier: GPL-2.0-or-later
"""Which small trees every run of the tests builds; the others are for `make torture`."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest

from tests.backport.builds.build_cases import Case


def by_name(cases: Iterable[Case], always: Collection[str]) -> list[object]:
    """A parameter a case; those that are not among ``always``, which names some of them, are marked."""
    every = list(cases)
    assert set(always) <= {case.name for case in every}
    return [
        pytest.param(case, id=case.name, marks=() if case.name in always else pytest.mark.torture)
        for case in every
    ]
