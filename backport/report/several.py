# SPDX-License-Identifier: GPL-2.0-or-later
"""Several branches at once: branch by patch as a table, what each came to, and the same as JSON."""

from __future__ import annotations

import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from backport.branches.matrix import Column, Matrix, Standing
from backport.branches.roster import Cell, CellState
from backport.report.page import fold, page_width, say
from backport.report.table import show_table

if TYPE_CHECKING:
    from backport.branches.roster import Part

_MOST_ROWS = 40
_WORDS = {
    CellState.APPLIED: "ok",
    CellState.RESOLVED: "resolved",
    CellState.ALREADY: "already there",
    CellState.SKIPPED: "skipped",
    CellState.CONFLICT: "CONFLICT",
    CellState.DOUBT: "DOUBT",
    CellState.OPEN: ".",
}
_VERB = re.compile(r"`backport (continue|skip|abort)\b")


def show_matrix(matrix: Matrix) -> None:
    """The table, a line for each branch, and the command that publishes what has moved."""
    rows = _rows(matrix)
    if rows:
        heads = ["patch", *(column.short for column in matrix.columns)]
        kept = rows[:_MOST_ROWS]
        show_table(
            heads, [[subject, *cells] for subject, cells in kept], alarms=("CONFLICT", "DOUBT")
        )
        if len(rows) > len(kept):
            print(f"and {len(rows) - len(kept)} more patches (--json names all)")
        print()
    for column in matrix.columns:
        say(f"{column.short}: {_standing(column)}")
    if not matrix.is_over:
        say("\nthen `backport continue`; or `backport abort` drops what is not over")
    if matrix.push:
        print("\nto publish what has moved, unless somebody else has pushed meanwhile:")
        for command in matrix.push:
            print(f"  {command}")


def _rows(matrix: Matrix) -> list[tuple[str, list[str]]]:
    """By subject: branches with patches of their own have the same row where these have the same subject."""
    keys: dict[tuple[str, int], None] = {}
    columns: list[dict[tuple[str, int], Cell]] = []
    for column in matrix.columns:
        times: Counter[str] = Counter()
        cells: dict[tuple[str, int], Cell] = {}
        for cell in column.cells:
            times[cell.subject] += 1
            cells[cell.subject, times[cell.subject]] = cell
        columns.append(cells)
        keys |= dict.fromkeys(cells)
    return [
        (key[0], [_word(matrix.columns[at], cells.get(key)) for at, cells in enumerate(columns)])
        for key in keys
    ]


def _word(column: Column, cell: Cell | None) -> str:
    if cell is None:
        return "-" if column.cells else "."
    word = _WORDS[cell.state]
    if cell.state is CellState.APPLIED and cell.how.startswith("as "):
        return f"{word}, {cell.how.removesuffix(' has it')}"
    return word


def _standing(column: Column) -> str:
    match column.standing:
        case Standing.MOVED if column.new == column.old:
            skipped = any(cell.state is CellState.SKIPPED for cell in column.cells if cell)
            return "nothing applied" if skipped else "nothing to do, it has all of them already"
        case Standing.MOVED if column.is_bare:
            skipped = any(cell.state is CellState.SKIPPED for cell in column.cells if cell)
            why = "nothing applied" if skipped else f"{column.branch} has all of them already"
            return f"made at {(column.new or '')[:12]}: {why}"
        case Standing.MOVED:
            old = column.old[:12] if column.old else "new"
            return f"{old} -> {(column.new or '')[:12]}; {column.proven}"
        case Standing.FAILED:
            return f"not moved: {_first(column.error)}"
        case Standing.DROPPED:
            return "dropped; not moved"
        case Standing.STOPPED:
            what = "doubt" if column.stop is not None and column.stop.doubts else "conflict"
            return f"stopped on a {what}, laid out in {column.worktree}"
        case Standing.WAITS:
            if column.error:
                return f"not moved: {_first(column.error)}; waits to be continued"
            if column.waits_for:
                return f"waits for {column.waits_for}, whose version of the patches it may need"
            return "not moved yet: it waits to be continued"


def _first(text: str) -> str:
    return text.split("\n", 1)[0].rstrip(":;")


def show_stop(part: Part, message: str, hint: str) -> None:
    """Why one branch came no further, on stderr, as it happens."""
    width = page_width(sys.stderr)
    print(fold(f"{part.branch}: {message}", width), file=sys.stderr)
    if hint:
        print(fold(f"  {for_branch(hint, part.branch)}", width), file=sys.stderr)


def for_branch(hint: str, branch: str) -> str:
    """Advice for a run that is one of several."""
    return _VERB.sub(rf"`backport \1 --branch {branch}", hint)


def show_columns(matrix: Matrix) -> None:
    """For ``status``: the matrix, how to see and resolve each conflict, and what is doubtful."""
    from backport.run.stop import help_lines

    show_matrix(matrix)
    for column in matrix.columns:
        if column.stop is not None:
            say(f"\n{column.short}, in {column.worktree}:")
            for line in help_lines(column.stop, column.short):
                say(line)
        elif column.doubts:
            say(f"\n{column.short}: {column.error}")
            say(f"  {for_branch(column.hint, column.branch)}")


def matrix_json(matrix: Matrix) -> dict[str, Any]:
    """The same for a program."""
    return {
        "exit_code": int(matrix.exit_code),
        "over": matrix.is_over,
        "atomic": matrix.atomic,
        "branches": [_column_json(column) for column in matrix.columns],
        "push": list(matrix.push),
    }


def _column_json(column: Column) -> dict[str, Any]:
    stop = column.stop
    return {
        "branch": column.branch,
        "target": column.target,
        "state": column.standing,
        "old": column.old,
        "new": column.new,
        "proven": column.proven,
        "error": column.error,
        "hint": for_branch(column.hint, column.branch),
        "exit_code": column.exit_code,
        "worktree": column.worktree,
        "waits_for": column.waits_for,
        "conflict": [{"path": path, "reason": why} for path, why in stop.clashes] if stop else None,
        "doubts": list(column.doubts),
        "missing": [asdict(one) for one in stop.missing] if stop else [],
        "patches": [
            {
                "item": cell.item,
                "subject": cell.subject,
                "state": cell.state,
                "how": cell.how,
                "commit": cell.commit,
                "notes": list(cell.notes),
                "verdicts": list(cell.verdicts),
            }
            for cell in column.cells
        ],
    }
