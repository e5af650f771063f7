# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that has its vcpu information in a page of its own and is resumed in a new domain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from emu.booted.guest import Guest
from emu.booted.stories import suspend
from emu.elf import PAGE
from emu.findings.boot_report import Treatment


class Remembering:
    """A guest of an image that answers the second registration with ``again``."""

    def __init__(self, again: int) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.again = again
        self.kernel = SimpleNamespace(lists=0x5000)
        walk = SimpleNamespace(physical=7 * PAGE + 8)
        self.machine = SimpleNamespace(linear=SimpleNamespace(walk=lambda at: walk))

    def ask(self, *asked: Any, **fields: int) -> int:
        self.asked.append((*asked, fields))
        return 0

    def call(self, *asked: Any, **fields: int) -> SimpleNamespace:
        self.asked.append((*asked, fields))
        return SimpleNamespace(result=self.again)


@pytest.mark.parametrize(
    ("answer", "again", "wrong"),
    [
        (0, 0, ()),
        (
            0,
            -22,
            ("VCPUOP_register_vcpu_info comes to -EINVAL after a suspend, and to 0 before",),
        ),
        (-22, 0, ("L0 answers 0 (resumed), the guest sees -EINVAL",)),
    ],
)
def test_registered_again(
    answer: int, again: int, wrong: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    guest: Any = Remembering(again)
    monkeypatch.setattr(suspend, "suspend", lambda guest: answer)
    (story,) = [s for s in suspend.STORIES if s.name == "vcpu info registered again after a resume"]
    typed: Guest = guest
    came = story.attempt(typed)
    assert (came.treatment, came.wrong) == (Treatment.FORWARDED, wrong)
    assert guest.asked[0] == ("VCPUOP_register_vcpu_info", 0, {"mfn": 7})
    assert len(guest.asked) == (1 if answer else 2)
