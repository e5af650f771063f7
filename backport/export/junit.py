# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit XML as pytest writes it (``xunit2``), for GitLab, Jenkins and others: a case a step and level.

A step that failed its validation is a failure; one that could not be judged is an error, since it says
nothing about the patch; what was not there yet or was not reached is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from xml.etree import ElementTree as Xml

from msgspec import Struct

from backport.export.run_record import Fortune, RunRecord, StepRecord
from backport.verdicts import State, Verdict
from series.model import escaped

_LEFT = (Fortune.ALREADY, Fortune.SKIPPED)


class _Kind(Enum):
    PASSED = ""
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


class _Case(Struct, frozen=True):
    name: str
    kind: _Kind
    message: str = ""
    text: str = ""
    seconds: float = 0.0


_KINDS = {
    State.PASSED: _Kind.PASSED,
    State.FAILED: _Kind.FAILURE,
    State.CANNOT_TELL: _Kind.ERROR,
    State.ABSENT: _Kind.SKIPPED,
}


def to_junit(records: Sequence[RunRecord]) -> bytes:
    """The document: a suite a record."""
    top = Xml.Element("testsuites", name="backport")
    top.extend(map(_suite, records))
    Xml.indent(top, " ")
    body: bytes = Xml.tostring(top, "utf-8")
    return b"<?xml version='1.0' encoding='utf-8'?>\n" + body + b"\n"


def _suite(record: RunRecord) -> Xml.Element:
    cases = [(step, case) for step in record.steps for case in _cases(record, step)]
    kinds = [case.kind for _, case in cases]
    whole = record.error is not None and not any(
        kind in (_Kind.FAILURE, _Kind.ERROR) for kind in kinds
    )
    suite = Xml.Element(
        "testsuite",
        name=escaped(f"backport {record.verb} {record.target}"),
        errors=str(kinds.count(_Kind.ERROR) + whole),
        failures=str(kinds.count(_Kind.FAILURE)),
        skipped=str(kinds.count(_Kind.SKIPPED)),
        tests=str(len(cases) + whole),
        time=f"{record.seconds:.3f}",
    )
    for step, case in cases:
        named = f"{record.target}.{step.number:04} {step.subject}".rstrip()
        element = Xml.SubElement(
            suite,
            "testcase",
            classname=escaped(named),
            name=case.name,
            time=f"{case.seconds:.3f}",
        )
        _add(element, case)
    if whole and record.error is not None:
        element = Xml.SubElement(
            suite, "testcase", classname=escaped(record.target), name=record.verb, time="0.000"
        )
        first, _, rest = record.error.message.partition("\n")
        text = "\n".join(part for part in (rest, record.error.hint) if part)
        _add(element, _Case(record.verb, _Kind.ERROR, escaped(first), _lines(text)))
    return suite


def _cases(record: RunRecord, step: StepRecord) -> Iterator[_Case]:
    """Of one step: that it goes on, then each level."""
    if step.fortune is Fortune.STOPPED:
        why = "\n".join(
            f"{t.place.path}: {t.message}" if t.place else t.message for t in step.troubles
        )
        yield _Case("apply", _Kind.FAILURE, escaped(step.how), _lines(why))
        return
    if step.fortune is Fortune.NOT_REACHED:
        yield _Case(record.verb, _Kind.SKIPPED, escaped(step.how) or "not reached")
        return
    if step.fortune in _LEFT:
        yield _Case("apply", _Kind.SKIPPED, escaped(f"{step.fortune}: {step.how}"))
        return
    if step.fortune is not Fortune.CHECKED:
        yield _Case("apply", _Kind.PASSED)
    for verdict in step.verdict.verdicts if step.verdict is not None else ():
        yield _judged(step, verdict)
    if step.verdict is None and record.asked:
        yield _Case("validate", _Kind.SKIPPED, "not reached")


def _judged(step: StepRecord, verdict: Verdict) -> _Case:
    kind = _KINDS[verdict.state]
    if kind is _Kind.PASSED:
        return _Case(str(verdict.validator), kind, seconds=verdict.seconds)
    head = [f"commit {step.commit}"] if step.commit else []
    text = "\n".join((*head, *verdict.lines))
    message = escaped(verdict.summary)
    return _Case(str(verdict.validator), kind, message, _lines(text), verdict.seconds)


def _lines(text: str) -> str:
    """Escaped line by line: XML has no way to write most control characters."""
    return "\n".join(escaped(line.replace("\t", " ")) for line in text.splitlines())


def _add(element: Xml.Element, case: _Case) -> None:
    if case.kind is _Kind.PASSED:
        return
    below = Xml.SubElement(element, case.kind.value, message=case.message)
    if case.kind is _Kind.SKIPPED:
        below.set("type", "backport.skip")
    below.text = case.text or None
