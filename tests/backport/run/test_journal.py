# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal on disk: what is written today is what was written before there were types for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import fields, replace

from backport.config import Settings
from backport.errors import UsageError
from backport.gateway.identity import Signature
from backport.history.other_branch import AsBranch
from backport.levels import Level, Phase, Prerequisites, Record, SandboxUse
from backport.pick.outcome import How
from backport.planning.items import Posted, Taken, parse_item
from backport.run.journal import Journal, RunState
from backport.run.steps import Reason, Step, StepState
from backport.run.stop import Lacked, Laid, Stop
from series.model import Identity, Oid, When
from series.reading.choices import Keep

_OID = Oid("5" * 40)
_STATE = RunState(
    phase=Phase.STOPPED,
    settings=Settings(
        validate=Level.BOOT, prerequisites=Prerequisites.TAKE, record=Record.XEN, accept=("a:b",)
    ),
    branch="refs/heads/stable",
    target="refs/heads/stable",
    onto=_OID,
    old=_OID,
    committer=Signature(Identity(b"M\xe9", b"m@example.org"), When(1516000000, 60)),
    sources=(),
    items=(Posted(3), Taken(_OID), Posted(0), Posted(1)),
    steps=(
        Step(Posted(3), StepState.APPLIED, How.OFFSET, _OID, ("a.c: moved",)),
        Step(Taken(_OID), StepState.APPLIED, AsBranch("stable-4.11"), _OID),
        Step(Posted(0), StepState.ALREADY, Reason("changes nothing"), None),
    ),
    clash=Stop(Posted(1), (("a.c", "clashes"),)),
)
_WRITTEN = {
    "phase": "stopped",
    "items": ["p3", "c" + _OID, "p0", "p1"],
    "steps": [
        {
            "item": "p3",
            "state": "applied",
            "how": "by context",
            "commit": _OID,
            "notes": ["a.c: moved"],
        },
        {
            "item": "c" + _OID,
            "state": "applied",
            "how": "as stable-4.11 has it",
            "commit": _OID,
            "notes": [],
        },
        {"item": "p0", "state": "already", "how": "changes nothing", "commit": None, "notes": []},
    ],
    "clash": {"item": "p1", "clashes": [["a.c", "clashes"]]},
}
"""As the releases before wrote it."""


def test_it_is_written_as_ever(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(_STATE)
    data = json.loads(journal.file.read_text())
    assert {key: data[key] for key in _WRITTEN} == _WRITTEN
    settings = data["settings"]
    assert (settings["validate"], settings["prerequisites"]) == ("boot", "take")
    assert settings["record"] == "xen"


def test_it_is_read_into_the_same_values(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(_STATE)
    assert journal.read() == _STATE
    state = journal.read()
    assert state is not None and state.settings.prerequisites is Prerequisites.TAKE
    journal.write(replace(_STATE, clash=None, settings=Settings()))
    assert journal.read() == replace(_STATE, clash=None, settings=Settings())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("items", ["x3"]),
        ("items", ["c123"]),
        ("phase", "dancing"),
        ("steps", [{"item": "p0", "state": "gone", "how": "", "commit": None, "notes": []}]),
        ("steps", [{"item": "p0", "state": "applied", "how": "luck", "commit": None, "notes": []}]),
    ],
)
def test_what_no_release_has_written_is_damage(tmp_path: Path, key: str, value: object) -> None:
    journal = Journal(tmp_path)
    journal.begin(_STATE)
    journal.file.write_text(json.dumps({**json.loads(journal.file.read_text()), key: value}))
    with pytest.raises(UsageError, match="is damaged"):
        journal.read()


def test_a_setting_is_read_as_what_it_was(tmp_path: Path) -> None:
    """A choice that came back as a string would be compared by identity, and lost."""
    settings = Settings(
        validate=Level.BUILD,
        prerequisites=Prerequisites.STOP,
        record=Record.CHERRY,
        sandbox=SandboxUse.REQUIRED,
        keep=Keep.ALL,
    )
    journal = Journal(tmp_path)
    journal.begin(replace(_STATE, settings=settings))
    state = journal.read()
    assert state is not None
    for field in fields(Settings):
        kept, was = getattr(state.settings, field.name), getattr(settings, field.name)
        assert (type(kept), kept) == (type(was), was), field.name


@pytest.mark.parametrize("item", [Posted(0), Posted(12), Taken(_OID)])
def test_an_item_is_read_as_it_was_written(item: Posted | Taken) -> None:
    assert parse_item(str(item)) == item


def test_what_helps_to_resolve_comes_back(tmp_path: Path) -> None:
    stop = Stop(
        Posted(1),
        (("a.c", "clashes"),),
        (("a.c", "hunk 1 is done"),),
        (Lacked(_OID, "prep", "writes it"),),
        (Laid("a.c", "5" * 64, True, "123"),),
    )
    journal = Journal(tmp_path)
    journal.begin(replace(_STATE, clash=stop))
    assert journal.read() == replace(_STATE, clash=stop)
