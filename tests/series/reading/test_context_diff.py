# SPDX-License-Identifier: GPL-2.0-or-later
"""Context diffs, as diff(1) writes them and patch(1) reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from series.placement.hunks import apply_change
from series.reading.context_diff import as_unified
from series.reading.diff import read_diff

LINES = b"a\nb\nc\nd\ne\n"
TEXTS = {
    "a change": (LINES, b"a\nb\nC\nd\ne\n"),
    "none at the end of both": (LINES + b"end", b"A\nb\nc\nd\ne\nend"),
    "none at the end, far": (LINES * 4 + b"end", b"A" + LINES * 4 + b"end"),
    "the end gets one": (LINES + b"end", LINES + b"end\n"),
    "the end loses one": (LINES + b"end\n", LINES + b"end"),
    "the last line goes": (LINES + b"end", LINES),
    "a last line comes": (LINES, LINES + b"end"),
    "another last line": (LINES + b"end", LINES + b"END"),
    "a file without one goes": (LINES + b"end", b""),
    "a file without one comes": (b"", LINES + b"end"),
    "carriage returns": (b"a\r\nb\r\nend", b"a\r\nB\r\nend"),
}


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "the patch's own end is lost"])
@pytest.mark.parametrize("name", TEXTS)
def test_as_patch_reads_it(tmp_path: Path, name: str, cut: bool) -> None:
    old, new = TEXTS[name]
    for folder, text in (("a", old), ("b", new)):
        (tmp_path / folder).mkdir()
        if text:
            (tmp_path / folder / "f").write_bytes(text)
    done = subprocess.run(
        ["diff", "-Nrc", "a", "b"], cwd=tmp_path, capture_output=True, check=False
    )
    written = done.stdout.removesuffix(b"\n") if cut else done.stdout
    (change,) = read_diff(as_unified(written, "x.patch"), "x.patch").changes
    assert apply_change(old, change).text == new
    assert (change.kind == "delete") is (not new)
