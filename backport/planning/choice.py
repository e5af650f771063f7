# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches as a user names them: by their numbers in the plan, or by a part of the subject."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from backport.counted import counted
from backport.errors import UsageError

_MOST_LISTED = 20
_NUMBERS = re.compile(r"\s*\d{1,9}(?:\s*,\s*\d{1,9})*\s*")


def choose_patches(wanted: Iterable[str], subjects: Sequence[str], option: str) -> tuple[int, ...]:
    """The positions (from 0) in ``subjects``, which are in the order of the plan, that ``wanted`` names.

    Each is ``N,M...`` as the plan counts, or a text that one subject alone contains, in either case of
    letters.  A whole subject counts before those that only contain it.  Raises `UsageError`.
    """
    found: set[int] = set()
    for text in wanted:
        if _NUMBERS.fullmatch(text):
            found |= {_numbered(int(number), subjects, option) for number in text.split(",")}
        else:
            found.add(_titled(text, subjects, option))
    return tuple(sorted(found))


def _numbered(number: int, subjects: Sequence[str], option: str) -> int:
    if not 1 <= number <= len(subjects):
        count = f"1 to {len(subjects)}" if len(subjects) > 1 else "1 alone"
        raise UsageError(
            f"{option} {number}: there is no such patch", f"`plan` numbers them {count}"
        )
    return number - 1


def _titled(text: str, subjects: Sequence[str], option: str) -> int:
    folded = [subject.casefold() for subject in subjects]
    key = text.casefold().strip()
    fits = [at for at, subject in enumerate(folded) if subject == key]
    if len(fits) != 1:
        fits = [at for at, subject in enumerate(folded) if key in subject] if key else []
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise UsageError(
            f"{option} {text!r} matches {counted(len(fits), 'subject')}:\n{_listed(fits, subjects)}",
            "give more of the subject, or the number",
        )
    raise UsageError(
        f"{option} {text!r}: no subject contains that; there are:\n"
        + _listed(range(len(subjects)), subjects),
        "give a number or a part of a subject",
    )


def _listed(places: Sequence[int], subjects: Sequence[str]) -> str:
    lines = [f"  {at + 1} {subjects[at]}" for at in places[:_MOST_LISTED]]
    if len(places) > _MOST_LISTED:
        lines.append(f"  and {len(places) - _MOST_LISTED} more")
    return "\n".join(lines)
