# SPDX-License-Identifier: GPL-2.0-or-later
"""Text as wide as what it is read on: the terminal, or a page where there is none (a log, a file).

Lines are broken between words alone and what follows is indented, so that a reason of 250 characters
reads as a paragraph, a path or a number is never cut in two, and a search for its first words finds it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Literal, TextIO

PAGE = 100
"""Columns of a page: what a mail archive or the log of a CI job shows without a scroll bar."""
_NARROW = 60
"""A terminal narrower than that breaks the lines itself."""
_COMMAND, _HELD = re.compile(r"`[^`]{1,60}`"), "\0"
"""What is to be typed stays on one line."""


_pager_width: list[int] = []
"""Of the terminal, while stdout goes to a pager on it."""
_no_colour: list[bool] = []
"""What the user's ``color.ui`` says, where it has been read."""


def page_width(stream: TextIO | None = None) -> int:
    """Columns of what ``stream`` (stdout) is read on; ``COLUMNS`` in the environment says otherwise."""
    stream = stream or sys.stdout
    if stream is sys.stdout and _pager_width:
        return _pager_width[-1]
    told = os.environ.get("COLUMNS", "")
    width = int(told) if told.isdecimal() else 0
    if not width and stream.isatty():
        width = os.get_terminal_size(stream.fileno()).columns
    return max(_NARROW, width or PAGE)


@contextlib.contextmanager
def through_pager(width: int) -> Iterator[None]:
    """While this holds, stdout is a pager on a terminal of ``width`` columns."""
    _pager_width.append(width)
    try:
        yield
    finally:
        _pager_width.pop()


def pager_width() -> int | None:
    """Columns of the terminal that stdout reaches through a pager; None where it goes to none."""
    return _pager_width[-1] if _pager_width else None


def is_live(stream: TextIO) -> bool:
    """Whether a person reads ``stream`` on a terminal, perhaps in a pager."""
    return bool(stream is sys.stdout and _pager_width) or stream.isatty()


def heed_colour(wanted: str) -> None:
    """Take the value of git's ``color.ui``.  ``always`` is ``auto``: no log or pipe is coloured."""
    _no_colour[:] = [wanted.lower() in ("never", "false", "no", "off", "0")]


def coloured(stream: TextIO) -> bool:
    """Whether colours fit: a terminal that has them, ``color.ui``, and no ``NO_COLOR`` (no-color.org)."""
    wished = not os.environ.get("NO_COLOR") and not any(_no_colour)
    return wished and os.environ.get("TERM") != "dumb" and is_live(stream)


def colour_system(stream: TextIO) -> Literal["auto"] | None:
    """The same for rich; None is neither colours nor bold letters."""
    return "auto" if coloured(stream) else None


def alarm(text: str) -> str:
    """The first line of ``text``, to be printed on stdout, in red where there are colours."""
    if not coloured(sys.stdout):
        return text
    first, newline, rest = text.partition("\n")
    return f"\033[1;31m{first}\033[0m{newline}{rest}"


def fold(text: str, width: int) -> str:
    """Each line of ``text`` that is wider than ``width``, broken between words, the rest indented."""
    return "\n".join(_folded(line, width) for line in text.splitlines())


def say(text: str) -> None:
    """Print on stdout, folded where a person reads it: a terminal cuts an id in two, a file does not."""
    live = is_live(sys.stdout) or os.environ.get("COLUMNS")
    print(fold(text, page_width()) if live else text)


def step_text(head: str, subject: str, details: str, width: int) -> str:
    """A step's line: ``head subject  [details]`` where that fits, else the details under the subject."""
    line = f"{head}{subject}  [{details}]"
    if len(line) <= width:
        return line
    return f"{_folded(f'{head}{subject}', width, len(head))}\n{_folded(' ' * len(head) + details, width, 0)}"


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
