# SPDX-License-Identifier: GPL-2.0-or-later
"""A table for a person: drawn by rich on a terminal, aligned plain text anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def show_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    styles: Sequence[str] = (),
) -> None:
    """Print a table on stdout; ``styles`` colours whole columns (rich style names)."""
    if sys.stdout.isatty():
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
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    if title:
        print(title)
    widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(len(heads))]
    for row in [heads, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
