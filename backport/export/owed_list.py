# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch is owed, for the page: read from what ``owed --json`` has written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from backport.errors import UsageError

FORMAT = 1
_SHORT = 12
_WEAK = "newer"
_WORDS = {
    "by_subject": "there by subject",
    "base_fixes": "that fix what the branch had before",
    "nothing": "that nothing speaks for",
}


class OwedRow(Struct, frozen=True):
    """A commit; ``aside``: why the maintainer does not take it."""

    commit: str
    subject: str
    why: tuple[str, ...]
    outlook: str
    needs: tuple[str, ...]
    aside: str


class OwedList(Struct, frozen=True):
    """All of one branch.  ``counts`` add up to the commits that were looked at."""

    branch: str
    upstream: str
    rows: tuple[OwedRow, ...]
    counts: tuple[tuple[str, int], ...]
    looked_at: int
    notes: tuple[str, ...]


def read_owed(file: Path) -> OwedList:
    """Read the document.  Raises `UsageError` for another one, and where its numbers do not add up."""
    advice = "write it anew: `backport owed --branch NAME --json FILE`"
    try:
        data = json.loads(file.read_bytes())
        if not isinstance(data, dict) or data.get("format") != FORMAT or "owed" not in data:
            raise UsageError(
                f"{file} is not what `owed --json` writes, or of another format", advice
            )
        found = _list(data)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{file} is not what `owed --json` writes: {error}", advice) from error
    if sum(count for _, count in found.counts) != found.looked_at:
        raise UsageError(f"{file}: the numbers do not add up to {found.looked_at} commits", advice)
    return found


def _list(data: dict[str, Any]) -> OwedList:
    account = {str(key): int(value) for key, value in data["account"].items()}
    looked_at = account.pop("looked_at")
    rows = tuple(_row(one) for one in data["owed"])
    here = sum(not one["on"] for one in data["owed"])
    counts = (("owed", here), *((_WORDS.get(key, key), n) for key, n in account.items()))
    notes = tuple(map(str, data["notes"]))
    return OwedList(str(data["branch"]), str(data["upstream"]), rows, counts, looked_at, notes)


def _row(one: dict[str, Any]) -> OwedRow:
    view = one["outlook"]
    outlook = " ".join(filter(None, (str(view["fate"]), str(view["how"])))) if view else ""
    needs = tuple(f"{x['commit'][:_SHORT]} {x['subject']}" for x in view["needs"]) if view else ()
    on = (f"only on {one['on']}",) if one["on"] else ()
    return OwedRow(
        str(one["commit"]),
        str(one["subject"]),
        (*on, *_reasons(one["claims"])),
        outlook,
        needs,
        str(one["ignored_because"] or ""),
    )


def _reasons(claims: list[dict[str, Any]]) -> Iterator[str]:
    for claim in claims:
        why, of = str(claim["why"]), str(claim["of"])
        if why == _WEAK:
            yield f"{of} took it"
        elif why == "asks":
            yield f"asks for {of}"
        else:
            yield f"{why} {of[:_SHORT]} {claim['subject']}".rstrip()
