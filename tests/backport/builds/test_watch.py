# SPDX-License-Identifier: GPL-2.0-or-later
"""The watcher against what a program is known to do with files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backport.builds.recorded.watch import read_log, watcher, works


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watcher")
    found, why = watcher(folder)
    why = why if found is None else works(found, (), folder / "log")
    if why:
        pytest.skip(why)
    assert found is not None
    return found


CASES: list[tuple[str, str, set[str]]] = [
    ("read", "open('file')", {"R file"}),
    ("absent", "os.path.exists('none')", {"E none"}),
    ("absent folder", "os.path.exists('file/none')", {"E file/none"}),
    ("there", "os.stat('file')", {"S file"}),
    ("open absent", "os.open('none', os.O_RDONLY)", {"E none"}),
    ("folder", "os.listdir('sub')", {"D sub"}),
    ("link itself", "os.lstat('dangling')", {"S dangling"}),
    ("through a link", "os.path.exists('dangling')", {"E dangling"}),
    ("link read", "os.readlink('dangling')", {"R dangling"}),
    ("no link", "os.readlink('file')", {"S file"}),
    ("asked of a descriptor", "os.fstat(0)", set()),
    ("nofollow", "os.open('dangling', os.O_RDONLY | os.O_NOFOLLOW)", {"E dangling"}),
    ("from a folder", "os.open('file', os.O_RDONLY, dir_fd=os.open('sub', 0))", {"D sub", "R sub/file"}),
    ("elsewhere", "os.chdir('sub'); open('file')", {"R sub/file"}),
    ("back again", "d = os.open('.', 0); os.chdir('sub'); os.fchdir(d); open('file')", {"D .", "R file"}),
    ("made", "open('new', 'w')", {"W new"}),
    ("emptied", "open('file', 'w')", {"W file"}),
    ("changed", "open('file', 'a')", {"A file"}),
    ("renamed", "os.rename('file', 'other')", {"R file", "U file", "N other"}),
    ("linked", "os.link('file', 'other')", {"R file", "N other"}),
    ("removed", "os.unlink('file')", {"U file"}),
    ("not removed", "os.unlink('none')", {"E none"}),
    ("folder made", "os.mkdir('there')", {"S there"}),
    ("child", "os.fork() or (os.chdir('sub'), open('file'), os._exit(0)); os.wait(); open('file')",
     {"R sub/file", "R file"}),
    ("thread", "t = threading.Thread(target=lambda: open('file')); t.start(); t.join()", {"R file"}),
]  # fmt: skip


@pytest.mark.parametrize(("_name", "code", "events"), CASES, ids=[case[0] for case in CASES])
def test_what_a_program_does_is_told(
    tmp_path: Path, binary: Path, _name: str, code: str, events: set[str]
) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    for name in ("file", "sub/file"):
        (tree / name).write_text(name)
    (tree / "dangling").symlink_to("nowhere")
    program = f"import os, threading\ntry:\n    {code}\nexcept OSError: pass\n"
    log = tmp_path / "log"
    python = Path(sys.executable).resolve()
    words = [str(binary), str(log), str(tree), str(python), "python", "-I", "-S", "-c", program]
    assert subprocess.run(words, check=False).returncode == 0
    prefix = f"{tree.resolve()}/"
    said = {
        f"{kind} {path.removeprefix(prefix)}"
        for process in read_log(log)
        for _, kind, path in process.events
        if path.startswith(prefix)
    }
    assert said == events


def test_the_command_s_own_end_is_the_watcher_s(tmp_path: Path, binary: Path) -> None:
    words = [str(binary), str(tmp_path / "log"), "/", "/bin/sh", "sh", "-c"]
    assert subprocess.run([*words, "exit 7"], check=False).returncode == 7
    assert subprocess.run([*words, "kill -9 $$"], check=False).returncode == 128 + 9
