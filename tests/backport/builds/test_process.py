# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command says reaches a terminal, a log and a page: as words alone."""

from __future__ import annotations

import os
from pathlib import Path

from backport.builds.process import run_bounded


def test_what_a_command_says_moves_no_terminal_and_turns_no_words(tmp_path: Path) -> None:
    said = "\x1b[31mred\x1b[0m\tGröße \u202eesrever\u2066 \u2028 end\r\n\x1b]0;title\x07two\n"
    (tmp_path / "log").write_text(said, newline="")
    code, text = run_bounded(["cat", "log"], tmp_path, dict(os.environ), 60)
    assert (code, text) == (0, "red\tGröße \\u202eesrever\\u2066 \\u2028 end\ntwo\n")
