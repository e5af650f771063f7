# SPDX-License-Identifier: GPL-2.0-or-later
"""Text as wide as what it is read on: the terminal, or a page where there is none (a log, a file).

Lines are broken between words alone and what follows is indented, so that a reason of 250 characters
reads as a paragraph, a path or a number is never cut in two, and a search for its first words finds it.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TextIO

PAGE = 100
"""Columns of a page: what a mail archive or the log of a CI job shows without a scroll bar."""
_NARROW = 60
"""A terminal narrower than that breaks the lines itself."""
_COMMAND, _HELD = re.compile(r"`[^`]{1,40}`"), "\0"
"""What is to be typed stays on one line."""


def page_width(stream: TextIO | None = None) -> int:
    """Columns of what ``stream`` (stdout) is read on; ``COLUMNS`` in the environment says otherwise."""
    stream = stream or sys.stdout
    told = os.environ.get("COLUMNS", "")
    width = int(told) if told.isdecimal() else 0
    if not width and stream.isatty():
        width = os.get_terminal_size(stream.fileno()).columns
    return max(_NARROW, width or PAGE)


def coloured(stream: TextIO) -> bool:
    """Whether ``stream`` shows colours and the user wants them (no-color.org)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def alarm(text: str) -> str:
    """The first line of ``text``, to be printed on stdout, in red where there are colours."""
    if not coloured(sys.stdout):
        return text
    first, newline, rest = text.partition("\n")
    return f"\033[1;31m{first}\033[0m{newline}{rest}"


def fold(text: str, width: int) -> str:
    """Each line of ``text`` that is wider than ``width``, broken between words, the rest indented."""
    return "\n".join(_folded(line, width) for line in text.splitlines())


def step_text(head: str, subject: str, details: str, width: int) -> str:
    """A step's line: ``head subject  [details]`` where that fits, else the details under the subject."""
    line = f"{head}{subject}  [{details}]"
    if len(line) <= width:
        return line
    return f"{head}{subject}\n{_folded(' ' * len(head) + details, width, 0)}"


def _folded(line: str, width: int, deeper: int = 2) -> str:
    if len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _HELD), line.lstrip())
    return textwrap.fill(
        whole,
        width,
        initial_indent=indent,
        subsequent_indent=indent + " " * deeper,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace(_HELD, " ")
