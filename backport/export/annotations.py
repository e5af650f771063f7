# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong, at its lines in a change: GitHub's workflow commands, GitLab's code quality report.

GitHub's runner obeys every line of a log that begins with ``::``, blanks before it or not, and a build prints
what strangers wrote.  So the whole output stands between a stop and a resume of a word that nobody can
guess (`fence`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from backport.export.run_record import RunRecord, StepRecord, Trouble
from backport.export.sarif import fingerprint
from backport.verdicts import State
from series.model import escaped

GITLAB_FILE = "gl-code-quality-report.json"
"""As GitLab's own jobs call the artifact."""
_PERCENT = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_PERCENT, ":": "%3A", ",": "%2C"}


def fence() -> tuple[str, str]:
    """The lines that have GitHub's runner obey nothing, and obey again."""
    word = secrets.token_hex(16)
    return f"::stop-commands::{word}", f"::{word}::"


def to_github(records: Sequence[RunRecord]) -> str:
    """A line for each trouble; of several branches each says which."""
    lines: list[str] = []
    for record in records:
        branch = _branch(record, records)
        own = [_command(step, trouble, branch) for step, trouble in record.troubles]
        if record.error is not None and not own:
            message = "\n".join(map(escaped, record.error.message.splitlines()))
            title = _escape(f"{branch}backport", _PROPERTY)
            own = [f"::error title={title}::{_escape(message, _PERCENT)}"]
        lines += own
    return "".join(f"{line}\n" for line in lines)


def _branch(record: RunRecord, records: Sequence[RunRecord]) -> str:
    """What is put before a title where there are several."""
    return f"{escaped(record.target)}: " if len(records) > 1 else ""


def _command(step: StepRecord, trouble: Trouble, branch: str) -> str:
    level = "error" if trouble.state is State.FAILED else "warning"
    properties = {}
    if trouble.place is not None:
        properties["file"] = _shown(trouble.place.path)
        if trouble.place.line:
            properties["line"] = str(trouble.place.line)
        if trouble.place.column:
            properties["col"] = str(trouble.place.column)
    properties["title"] = branch + escaped(f"step {step.number} {step.subject}")
    said = ",".join(f"{key}={_escape(value, _PROPERTY)}" for key, value in properties.items())
    text = "\n".join(map(escaped, (trouble.message, *trouble.lines)))
    return f"::{level} {said}::{_escape(text, _PERCENT)}"


def _escape(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(letter, letter) for letter in text)


def to_gitlab(records: Sequence[RunRecord]) -> str:
    """The report.  It needs a file for each entry: troubles without one stand at the tree's root.

    GitLab shows one of several entries with the same fingerprint, so the branch counts where there are more.
    """
    found = [entry for one in records for entry in _entries(one, _branch(one, records))]
    return json.dumps(found, indent=1) + "\n"


def _entries(record: RunRecord, branch: str) -> Iterator[dict[str, Any]]:
    for step, trouble in record.troubles:
        yield {
            "description": branch
            + escaped(f"step {step.number} {step.subject}: {trouble.message}"),
            "check_name": f"backport/{trouble.rule}",
            "fingerprint": fingerprint(step, trouble, branch),
            "severity": "major" if trouble.state is State.FAILED else "info",
            "location": {
                "path": _shown(trouble.place.path) if trouble.place is not None else ".",
                "lines": {"begin": (trouble.place and trouble.place.line) or 1},
            },
        }
    if record.error is not None and not record.troubles:
        yield {
            "description": branch + escaped(record.error.message.partition("\n")[0]),
            "check_name": "backport/run",
            "fingerprint": f"{record.verb}:{escaped(record.target)}",
            "severity": "major",
            "location": {"path": ".", "lines": {"begin": 1}},
        }


def _shown(path: str) -> str:
    return escaped(path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
