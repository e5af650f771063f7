# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that run beside each other and make one folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backport.builds.recorded.rerun import Runner


def test_a_folder_that_another_command_empties_is_dated_by_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and the date."""
    (tmp_path / "obj").mkdir()
    (tmp_path / "kept").mkdir()
    look = Path.is_dir

    def emptied(self: Path) -> bool:
        found = look(self)
        if self.name == "obj" and found:
            self.rmdir()
        return found

    monkeypatch.setattr(Path, "is_dir", emptied)
    runner: Any = SimpleNamespace(root=tmp_path, _folder_dates={"obj": 10**18, "kept": 10**18})
    Runner._date_folders(runner, ["obj", "kept"])
    assert (tmp_path / "kept").stat().st_mtime_ns == 10**18
    assert not (tmp_path / "obj").exists()
