# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written where the user says, and what strangers' names do to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.backport.trees import backport, branch_with, new_repo

HOSTILE = (
    'q\\"]; evil [label="OWNED',
    "end\\",
    "</title></path><script>alert(1)</script>",
    "]]> &amp; <!-- -->",
    "\x1b]0;title\x07\x1b[31m",
    "\u202eltr\u2066\u2028\ufeff\ufffe",
    '"]:::x click p0 "javascript:alert(1)"',
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    found = new_repo(tmp_path / "repo", {"a": "1\n"}, branch="stable")
    branch_with(found, "topic", "stable", ("one", {"a": "2\n"}), ("two", {"a": "3\n"}))
    return found


WORDS = ("graph", "--branch", "stable", "--series", "stable..topic")


@pytest.mark.parametrize("words", [("graph", "-o"), ("plan", "--json")])
def test_a_device_stays_one(repo: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        device.open("wb").close()
    except OSError:
        pytest.skip("no device can be made or opened here")
    verb, option = words
    done = backport(repo, verb, *WORDS[1:], option, str(device))
    assert done.exit_code == 0, done.output
    assert stat.S_ISCHR(device.lstat().st_mode)


def test_a_fifo_is_written_to(repo: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    assert backport(repo, "plan", *WORDS[1:], "--json", str(pipe)).exit_code == 0
    reader.join(20)
    assert json.loads(got[0])["patches"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one(repo: Path, tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_text("old")
        target.chmod(0o640)
    link.symlink_to(target)
    assert backport(repo, *WORDS, "-o", str(link)).exit_code == 0
    assert link.is_symlink()
    assert target.read_text().startswith("digraph")
    if there:
        assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("words", [("graph", "-o"), ("plan", "--json")])
def test_a_full_device_is_said(repo: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    full = tmp_path / "full"  # one of our own: where this goes wrong, the machine keeps its own
    try:
        os.mknod(full, 0o600 | stat.S_IFCHR, os.makedev(1, 7))
        full.open("wb").close()
    except OSError:
        pytest.skip("no device can be made or opened here")
    done = backport(repo, words[0], *WORDS[1:], words[1], str(full))
    assert done.exit_code == 2
    assert f"{words[1]} {full}: No space left on device" in done.output


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A branch whose subjects, and one of whose paths, want to be more than text."""
    text = str(request.param)
    path = text.replace("/", "|")
    found = new_repo(tmp_path / "repo", {"a": "1\n", path: "1\n"}, branch="stable")
    subject = text.replace("\n", " ")
    branch_with(found, "topic", "stable", (subject, {path: "2\n"}), (f"{subject} 2", {path: "3\n"}))
    return found


def drawn(repo: Path, form: str) -> str:
    done = backport(repo, *WORDS, "--format", form)
    assert done.exit_code == 0, done.output
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", done.output)
    return done.output


def test_a_picture_is_well_formed_whatever_it_names(hostile: Path) -> None:
    root = ElementTree.fromstring(drawn(hostile, "svg"))
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds <= {"svg", "rect", "text", "path", "title", "circle", "line", "g", "tspan"}


def test_a_dot_file_has_the_nodes_of_the_series(hostile: Path) -> None:
    text = drawn(hostile, "dot")
    # A string of DOT: escapes, or anything but a quote or a backslash.
    bare = re.sub(r'"(?:\\.|[^"\\])*"', "S", text)
    assert '"' not in bare
    assert len(re.findall(r"^  p\d+ \[label=S\];$", bare, re.M)) == 2
    assert "evil" not in bare
    if shutil.which("dot"):
        done = subprocess.run(
            ["dot", "-Tcanon"], input=text, capture_output=True, text=True, check=True
        )
        assert len(re.findall(r"^\s+p\d+\s+\[", done.stdout, re.M)) == 2


def test_a_mermaid_file_has_the_nodes_of_the_series(hostile: Path) -> None:
    lines = drawn(hostile, "mermaid").splitlines()
    assert lines[0] == "flowchart TD"
    for line in lines[1:]:
        assert re.fullmatch(r'  p\d+(\["\d+\. [^"<>`]*"\]| \S+ p\d+)', line), line


def test_json_is_ascii_and_holds_the_text(hostile: Path) -> None:
    done = backport(hostile, "plan", *WORDS[1:], "--json", "-")
    assert done.exit_code == 0, done.output
    assert done.output.isascii()
    json.loads(done.output)
