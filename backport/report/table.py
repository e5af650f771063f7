# SPDX-License-Identifier: GPL-2.0-or-later
"""A table for a person: drawn by rich on a terminal, aligned plain text anywhere else.

Where it is wider than the page, columns are made narrower, and cells go on below: a single cell of
300 characters does not push the column after it out of sight in every row.

A log or a pipe is not drawn by rich: it takes 0.08 s to load and 0.05 s for 77 rows, where these few
lines take 1 ms; and it fills every line with blanks to its end, which `diff` and mails then carry.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from backport.report.page import colour_system, is_live, page_width, pager_width

_GAP = "  "
_ALARM = "bold red"
_LEAST = 24
"""No column is made narrower than that."""


def show_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    styles: Sequence[str] = (),
    alarms: tuple[str, ...] = (),
) -> None:
    """Print a table on stdout; ``styles`` colours whole columns (rich style names).

    Cells that begin with one of ``alarms`` stand out.
    """
    if is_live(sys.stdout):
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False
        )
        for number, head in enumerate(heads):
            style = styles[number] if number < len(styles) else ""
            table.add_column(head, style=style, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell, _ALARM if cell.startswith(alarms) else "") for cell in row))
        console = Console(
            color_system=colour_system(sys.stdout), force_terminal=True, width=pager_width()
        )
        console.print(table)
        return
    if title:
        print(title)
    widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(len(heads))]
    _narrow(widths, rows, page_width() - len(_GAP) * (len(heads) - 1))
    for row in [heads, *rows]:
        cells = [_cell(text, width) for text, width in zip(row, widths, strict=True)]
        for line in zip_longest(*cells, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(line, widths, strict=True))
            print(_GAP.join(padded).rstrip())


def _narrow(widths: list[int], rows: Sequence[Sequence[str]], room: int) -> None:
    """Take from the columns what is too much, each time where the fewest rows are folded for it."""
    sizes = [sorted({_LEAST, *(len(row[k]) for row in rows)}) for k in range(len(widths))]
    while (spare := sum(widths) - room) > 0:
        found = []
        for k, width in enumerate(widths):
            if width <= _LEAST:
                continue
            below = max(size for size in sizes[k] if size < width)
            folded = sum(len(row[k]) > below for row in rows)
            found.append((folded / (width - below), -k, below))
        if not found:
            return
        _, place, below = min(found)
        widths[-place] = max(below, widths[-place] - spare)


def _cell(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
