# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies outside of the tree, while others are at work there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backport.builds import hidden_places, outside_state


def test_a_link_that_goes_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to("there")
    seen = os.lstat

    def gone(path: str, *given: object) -> os.stat_result:
        found = seen(path)
        if path == str(link):
            link.unlink()
        return found

    monkeypatch.setattr(os, "lstat", gone)
    assert outside_state.state(str(link)).endswith(" ")


def test_a_private_file_that_goes_while_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").mkdir(mode=0o700)
    (tmp_path / "gone").mkdir(mode=0o700)
    listed = os.scandir

    def before(folder: Path) -> list[os.DirEntry[str]]:
        entries = list(listed(folder))
        if folder == tmp_path:
            (tmp_path / "gone").rmdir()
        return entries

    monkeypatch.setattr(os, "scandir", before)
    assert list(hidden_places._not_for_everyone(tmp_path)) == [tmp_path / "kept"]
