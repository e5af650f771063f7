# SPDX-License-Identifier: GPL-2.0-or-later
"""One page, one file, no network: records of runs for somebody who was not there.

Everything that strangers wrote goes through two guards: ``escaped`` for what turns the direction of writing
or moves a terminal, then jinja2's autoescape.  The policy of the page allows its own style and script by
their hashes and nothing else, so what slips through both would still not run.  Tables read without the
script; it adds search, filters, and what a patch needs when it is pointed at.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from backport.export.owed_list import OwedList
from backport.export.page_data import RunView, spans
from backport.export.run_record import StepRecord
from backport.verdicts import State, StepVerdict
from series.model import escaped

_ROW = 22
"""Height of a patch in the picture of the dependencies; the style has the same."""
_WORDS = {
    State.PASSED: ("good", "good"),
    State.FAILED: ("bad", "FAILED"),
    State.CANNOT_TELL: ("unclear", "could not be judged"),
    State.ABSENT: ("absent", "not there yet"),
}


def to_html(
    views: Sequence[RunView], version: str, now: float, owed: Sequence[OwedList] = ()
) -> bytes:
    """The page; ``now`` in seconds since the epoch is the moment that it names."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def guarded(value: object) -> object:
        return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    style, script, template = (_read(name) for name in ("page.css", "page.js", "page.html"))
    environment = Environment(
        autoescape=True,
        finalize=guarded,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.from_string(template).render(
        views=views,
        owed=owed,
        version=version,
        made=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup(style),
        script=Markup(script),
        policy=(
            f"default-src 'none'; style-src 'sha256-{_hash(style)}'; script-src 'sha256-{_hash(script)}';"
            " base-uri 'none'; form-action 'none'"
        ),
        cell=_cell,
        arcs=_arcs,
        spans=spans,
        matrix=_matrix(views),
    )
    return page.encode("utf-8", "replace")


def _read(name: str) -> str:
    return (files("backport.export") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _cell(verdict: StepVerdict | None, level: str) -> tuple[str, str, str]:
    """Class, word and summary of one level of one step."""
    found = [v for v in (verdict.verdicts if verdict else ()) if str(v.validator) == level]
    if not found:
        return "none", "–", "not judged"
    css, word = _WORDS[found[0].state]
    return css, word, found[0].summary


def _arcs(view: RunView) -> dict[str, Any]:
    """The picture of the dependencies: an arc a dependency, at the left of the rows."""
    row = {step.number: at for at, step in enumerate(view.record.steps)}
    reach = max((abs(row[e.user] - row[e.maker]) for e in view.edges), default=1)
    width = round(min(320.0, 30 + 9.0 * reach**0.75))
    found = []
    for edge in view.edges:
        top, bottom = (row[n] * _ROW + _ROW // 2 for n in (edge.maker, edge.user))
        bow = round(min(width - 4.0, 12 + 9.0 * abs(row[edge.user] - row[edge.maker]) ** 0.75))
        path = f"M{width} {top}C{width - bow} {top} {width - bow} {bottom} {width} {bottom}"
        found.append((edge, path))
    return {"width": width, "height": _ROW * len(row), "paths": found}


def _matrix(views: Sequence[RunView]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Of several branches: a patch a row, by its subject, a branch a column."""
    if len(views) < 2:
        return ()
    subjects = dict.fromkeys(s.subject for v in views for s in v.record.steps if s.subject)
    tables = [{s.subject: s for s in view.record.steps} for view in views]
    return tuple(
        (subject, tuple(_fate(table.get(subject)) for table in tables)) for subject in subjects
    )


def _fate(step: StepRecord | None) -> tuple[str, str]:
    if step is None:
        return "none", "–"
    if step.state is None:
        return ("bad", str(step.fortune)) if step.troubles else ("absent", str(step.fortune))
    return _WORDS[step.state]
