# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backport.store.files import write_atomic


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("durable", [True, False])
def test_the_old_content_or_the_new(tmp_path: Path, durable: bool) -> None:
    target = tmp_path / "deep/er/file"
    write_atomic(target, b"old", durable=durable)
    write_atomic(target, b"new", durable=durable, mode=0o600)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("act", ["fsync", "fchmod"])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, act, _full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(target, b"new", mode=0o600)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "file", b"new", durable=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
