# SPDX-License-Identifier: GPL-2.0-or-later
"""SARIF 2.1.0 (OASIS), which code scanning services show at the lines of a change.

A result is one thing that is wrong at one step.  A place that is not known for sure is left out rather than
invented; the step and its commit stand in the result's logical location and properties.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from backport.export.run_record import Fortune, Place, RunRecord, StepRecord, Trouble
from backport.verdicts import State
from series.model import escaped

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_RULES = {
    "build": "The tree does not build at this step.",
    "conflict": "The patch does not go on.",
}
_LEVELS = {State.FAILED: "error", State.CANNOT_TELL: "warning"}


def to_sarif(records: Sequence[RunRecord], version: str) -> dict[str, Any]:
    """The log as a JSON document, a run a record; ``version`` is the tool's."""
    runs = [_run(record, version) for record in records]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}


def _run(record: RunRecord, version: str) -> dict[str, Any]:
    rules = list(dict.fromkeys(trouble.rule for _, trouble in record.troubles))
    invocation: dict[str, Any] = {
        "executionSuccessful": record.error is None or record.exit_code < 5,
        "exitCode": record.exit_code,
    }
    notified = [
        {"level": "warning", "message": {"text": _lines(step.how)}}
        for step in record.steps
        if step.fortune is Fortune.NOT_REACHED and step.how
    ]
    if record.error is not None:
        text = "\n".join(filter(None, (record.error.message, record.error.hint)))
        notified.append({"level": "error", "message": {"text": _lines(text)}})
    if notified:
        invocation["toolExecutionNotifications"] = notified
    return {
        "tool": {
            "driver": {
                "name": "backport",
                "version": version,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"backport/{record.verb}/{quote(record.target)}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": [
            _result(step, trouble, rules.index(trouble.rule)) for step, trouble in record.troubles
        ],
    }


def _rule(rule: str) -> dict[str, Any]:
    text = _RULES.get(rule)
    if text is None and rule.startswith("unproven:"):
        text = "The step could not be judged, which says nothing about the patch."
    return {
        "id": rule,
        "shortDescription": {"text": text or f"The emulation found: {rule}."},
    }


def _result(step: StepRecord, trouble: Trouble, index: int) -> dict[str, Any]:
    head = f"step {step.number} {step.subject}: {trouble.message}"
    text = "\n".join(map(escaped, (head, *trouble.lines)))
    location: dict[str, Any] = {
        "logicalLocations": [
            {
                "name": str(step.number),
                "fullyQualifiedName": escaped(f"step {step.number} {step.subject}"),
                "kind": "module",
            }
        ]
    }
    if trouble.place is not None:
        location["physicalLocation"] = _physical(trouble.place)
    return {
        "ruleId": trouble.rule,
        "ruleIndex": index,
        "level": _LEVELS[trouble.state],
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"backport/v1": fingerprint(step, trouble)},
        "properties": {
            "step": step.number,
            "commit": step.commit,
            "subject": escaped(step.subject),
        },
    }


def fingerprint(step: StepRecord, trouble: Trouble, branch: str = "") -> str:
    """The same for the same trouble in the next run: neither commit ids nor line numbers count.

    ``branch``: where a document has several, and takes equal ones for one and the same.
    """
    path = trouble.place.path if trouble.place is not None else ""
    words = (step.subject, trouble.rule, path, trouble.message)
    said = "\0".join((*words, branch) if branch else words)
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def _physical(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = {
        "artifactLocation": {"uri": quote(place.path.encode("utf-8", "surrogateescape"))}
    }
    if place.line:
        region = {"startLine": place.line}
        if place.column:
            region["startColumn"] = place.column
        found["region"] = region
    return found


def _lines(text: str) -> str:
    return "\n".join(map(escaped, text.splitlines()))
