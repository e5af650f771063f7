# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backport.store.files import own_folder, write_atomic


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


def test_a_folder_of_ours_is_removed_by_the_next_process(tmp_path: Path) -> None:
    """Of those beside it, that of a process that was killed; not one in use, nor what is named otherwise."""
    program = (
        "import os, pathlib, sys; from backport.store.files import own_folder\n"
        "with own_folder(pathlib.Path(sys.argv[1]), '.of-') as folder:\n"
        "    (folder / 'file').touch(); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    (tmp_path / ".of-course").mkdir()
    with own_folder(tmp_path, ".of-") as one, own_folder(tmp_path, ".of-") as other:
        assert {path.name for path in tmp_path.iterdir()} == {".of-course", one.name, other.name}
        assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".of-course"]
