# SPDX-License-Identifier: GPL-2.0-or-later
"""Who goes by times that no program can set again, as arguments and texts say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backport.builds.recorded.change_times import Names, named, note_change_times
from backport.builds.recorded.watch import Image, Process


@pytest.mark.parametrize(
    ("words", "goes"),
    [
        ("find . -cnewer a", True),
        ("find . -mmin -5", True),
        ("find . -newermt yesterday", True),
        ("find . -newer a", False),
        ("sh -c [ -N a ] && cp a b", True),
        ("sh -c [ -n a ] && cp a b", False),
        ("perl -e print if -M $f < 2", True),
        ("python3 -c import os; print(os.stat('a').st_ctime)", True),
        ("grep st_ctime a.c", False),
        ("tar -N a -cf b c", True),
        ("tar -cf b c", False),
    ],
)
def test_arguments_say_it(words: str, goes: bool) -> None:
    name, first, *rest = words.split(" ")
    argv = (name, first, *((" ".join(rest),) if first in ("-c", "-e") else rest))
    process = Process(1, images=[Image(1, f"/usr/bin/{name}", argv=argv)])
    note_change_times([process])
    assert bool(process.loose) is goes


@pytest.mark.parametrize(
    ("exe", "text", "goes"),
    [
        ("/usr/bin/python3.11", "os.path.getctime(f)", True),
        ("/usr/bin/python3.11", "os.stat(f)[stat.ST_CTIME]", True),
        ("/usr/bin/python3.11", "os.stat(f)[9]", True),
        ("/usr/bin/python3.11", "os.stat(f).st_mtime, time.ctime()", False),
        ("/usr/bin/perl", "(stat $f)[10]", True),
        ("/usr/bin/perl", "(stat $f)[9]", True),
        ("/usr/bin/node", "fs.statSync(f).ctimeMs", True),
        ("/usr/bin/gcc", "st.st_ctime", False),
        ("/usr/bin/x86_64-linux-gnu-gcc-12", "st.st_ctime", False),
        ("TREE/gcc", "st.st_ctime", True),
        ("/usr/bin/frobnicate", "st.st_ctime", True),
    ],
)
def test_texts_say_it(tmp_path: Path, exe: str, text: str, goes: bool) -> None:
    (tmp_path / "text").write_text(text)
    process = Process(1, images=[Image(1, exe.replace("TREE", str(tmp_path)))])
    names = Names(str(tmp_path), lambda path: ())
    assert named([process], [(1, "R", "text")], str(tmp_path), names) == ("text" if goes else "")


def test_a_program_does_what_its_sources_say(tmp_path: Path) -> None:
    (tmp_path / "source.c").write_text("st.st_ctim")
    for binary in ("tool", "part.o", "other"):
        (tmp_path / binary).write_bytes(b"\x7fELF\0")
    made = {"tool": ["part.o"], "part.o": ["source.c", "part.o"], "other": ["other"]}
    names = Names(str(tmp_path), lambda path: made.get(path, ()))
    assert [names.such(path) for path in ("tool", "other", "nothing")] == [True, False, False]
