# SPDX-License-Identifier: GPL-2.0-or-later
"""What takes long and is the same for every test is made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backport.builds.recorded import replay, watch


@pytest.fixture(autouse=True)
def _one_watcher(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher is compiled once: that takes longer than most of the builds that are watched here."""
    kept = tmp_path_factory.getbasetemp() / "watcher"

    def copied(folder: Path) -> tuple[Path | None, str]:
        binary, why = watch.watcher(kept)
        if binary is None:
            return None, why
        there = folder / binary.name
        if not there.exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = shutil.copy2(binary, folder / f"{binary.name}.part")
            Path(made).rename(there)
        return watch.watcher(folder)

    monkeypatch.setattr(replay, "watcher", copied)
