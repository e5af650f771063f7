# SPDX-License-Identifier: GPL-2.0-or-later
"""Every word that a plan uses for how a patch goes on is explained below it."""

from __future__ import annotations

import pytest

from backport.history.other_branch import AsBranch
from backport.pick.outcome import How
from backport.report.planned import CONFLICT, FOLLOWS, PREREQUISITE, _legend
from backport.run.steps import StepState


@pytest.mark.parametrize(
    "word",
    [
        *map(str, How),
        str(AsBranch("stable-4.11")),
        StepState.ALREADY.value,
        CONFLICT,
        PREREQUISITE,
        f"exact, {FOLLOWS} 7",
    ],
)
def test_a_word_has_its_meaning(word: str) -> None:
    lines = list(_legend([word]))
    assert lines, word
    assert lines[0].startswith("goes on: ")
