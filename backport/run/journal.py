# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal of a run, so that it can be killed at any instant and continued.

Format 4, in ``.git/backport/run/``, or in ``.git/backport/branches/PART/run/`` for one of several branches:

``state.json``
    ``version``    4; a newer one is refused, 1 (without ``siblings``), 2 (without ``signed``) and 3 (whose
                   siblings have no ``made``) are read
    ``phase``      plan -> apply -> (stopped -> apply)* -> validate -> move; absent when no run is on
    ``settings``   the `config.Settings` in force when the run began
    ``branch``     full name of the stable branch; ``target`` the ref that will move
    ``onto``       the commit the series goes on; ``old`` where ``target`` was, null when it is new
    ``siblings``   name and commit of each other branch whose version of a patch counts, whether it
                   is an older one, what the same command has made of each item there (see siblings), and
                   the branch that it was made on
    ``committer``  name and email (latin-1 of the raw bytes), seconds, offset, and zone where it is
                   spelled in another way: every commit carries it, which is what makes the objects of a
                   continued run the same
    ``sources``    kind, given, file names and sizes, or the two ends of a range
    ``items``      the order: ``p<n>`` patch n of the sources, ``c<commit>`` a prerequisite from upstream
    ``steps``      item, state, how, commit, notes, parts that are there already and doubts, if any,
                   in that order, as far as the run has come
    ``convention`` the origin lines of ``--record auto``: none, cherry or xen
    ``signed``     the ids of the signed commits, once there are any (see signed)
    ``clash``      what the run stopped on (see stop), null otherwise
    ``worktree``   the folder with the conflict laid out, null otherwise
``source/<n>``
    the bytes of the files of source n as they were read, one after the other; ``sizes`` cuts them

Every write is write-fsync-rename; everything before the last write is found again, everything after
it is done again and, being a pure function of the journal, comes out the same.  Objects are kept
from gc by ``refs/backport/run``, or ``refs/backport/branches/PART``.  Mutual exclusion is a ``flock``
on ``.git/backport/lock``: the kernel drops it with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from backport.config import Settings
from backport.errors import RunInProgress, UsageError
from backport.gateway.identity import Signature
from backport.history.other_branch import Sibling
from backport.levels import Level, Phase, Prerequisites, Record, SandboxUse
from backport.planning.given import Source
from backport.planning.items import Item, parse_item
from backport.run.steps import Step, StepState, parse_way
from backport.run.stop import Stop, read_stop
from backport.run.worth import Part
from backport.store.files import write_atomic
from series.model import Identity, Oid, When
from series.reading.choices import Keep

VERSION = 4
_READ = (1, 2, 3, VERSION)
RUN_REF = "refs/backport/run"
SEVERAL = "branches.json"
"""Beside the journals: says that a command onto several branches is not over."""
UNDO = "undoing.json"
"""Beside the journals: says that an undo is not over (undo_plan)."""
_PATIENCE = 60
"""Seconds for a git that a killed run had started to come to its end."""


class RunState(Struct, frozen=True):
    """The whole journal of a run, as a value; see the module's docstring."""

    phase: Phase
    settings: Settings
    branch: str
    target: str
    onto: Oid
    old: Oid | None
    committer: Signature
    sources: tuple[Source, ...]
    items: tuple[Item, ...] = ()
    steps: tuple[Step, ...] = ()
    clash: Stop | None = None
    worktree: str | None = None
    siblings: tuple[Sibling, ...] = ()
    convention: Record = Record.NONE
    """The origin lines that ``--record auto`` writes."""
    signed: tuple[Oid, ...] = ()
    """The commits of the steps that have one, signed; empty until then, and where nobody signs."""

    @property
    def tip(self) -> Oid:
        """The newest commit of the run, as the steps have it."""
        return next((s.commit for s in reversed(self.steps) if s.commit), self.onto)

    @property
    def end(self) -> Oid:
        """Where the target is to point: the newest commit, signed if the user signs."""
        return self.signed[-1] if self.signed else self.tip

    @property
    def finals(self) -> dict[Oid, Oid]:
        """The commits of the steps, each with the one that the target gets for it."""
        made = [step.commit for step in self.steps if step.commit is not None]
        return dict(zip(made, self.signed or made, strict=True))


class Journal:
    """The journal of a run, and what is its own: the folder of its conflict, the ref of its commits.

    ``part`` names one of several branches that are worked on together; they share the repository's lock.
    """

    def __init__(self, state_dir: Path, part: str = "") -> None:
        self.dir = state_dir
        home = state_dir / "branches" / part if part else state_dir
        self.run = home / "run"
        self.file = self.run / "state.json"
        self.conflict = home / "conflict"
        self.ref = f"refs/backport/branches/{part}" if part else RUN_REF

    @contextlib.contextmanager
    def locked(self, handed_on: list[int] | None = None) -> Iterator[None]:
        """Hold the lock of this repository; raises `RunInProgress` when another process has it.

        Processes that are started with the handles of ``handed_on`` hold it, too, should this one be killed.
        """
        self.dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock(handle)
            with contextlib.suppress(OSError):  # only a message has it
                os.ftruncate(handle, 0)
                os.pwrite(handle, str(os.getpid()).encode(), 0)
            if handed_on is not None:
                handed_on.append(handle)
            try:
                yield
            finally:
                if handed_on is not None:
                    handed_on.remove(handle)
                fcntl.flock(
                    handle, fcntl.LOCK_UN
                )  # a daemon that a git has started holds it no more
        finally:
            os.close(handle)

    def _lock(self, handle: int) -> None:
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pid = os.pread(handle, 32, 0).decode(errors="replace").strip()
            if not pid.isdigit() or Path(f"/proc/{pid}").exists() or time.monotonic() > give_up:
                raise RunInProgress(
                    f"another backport is running in this repository (process {pid or '?'})"
                    f"{self._onto()}",
                    "wait for it, or interrupt it and `backport continue` or `backport abort`",
                )
            time.sleep(0.05)  # it was killed, and a git that it had started goes on

    def _onto(self) -> str:
        """What the run is about, as far as it can be read."""
        try:
            state = self.read()
        except UsageError:
            state = None
        return f", onto {state.target.removeprefix('refs/heads/')}" if state is not None else ""

    def owner(self) -> str | None:
        """The process that is at work now; None when nobody is."""
        try:
            with (self.dir / "lock").open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return file.read().strip() or "?"
        except OSError:
            return None
        return None

    def begin(self, state: RunState) -> None:
        """Write the sources, then the state: from here on the run can be continued."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.run)  # what an earlier one has left must not be taken for this one's
        for number, source in enumerate(state.sources):
            data = b"".join(content for _, content in source.files)
            write_atomic(self.run / "source" / str(number), data)
        self.write(state)

    def write(self, state: RunState) -> None:
        """Replace the state."""
        write_atomic(self.file, json.dumps(_to_json(state), indent=1).encode())

    def read(self) -> RunState | None:
        """The state of a run that is on; None when there is none."""
        try:
            data = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"{self.file} is damaged: {error}",
                "`backport abort` drops the run; no branch has moved",
            ) from error
        if not isinstance(data, dict) or data.get("version") not in _READ:
            raise UsageError(
                f"{self.file} was written by another version of backport",
                "finish the run with that version, or `backport abort`",
            )
        try:
            return self._from_json(data)
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            ArithmeticError,
            OSError,
        ) as error:
            raise UsageError(
                f"{self.run} is damaged: {error}",
                "`backport abort` drops the run; no branch has moved",
            ) from error

    def readable(self) -> RunState | None:
        """The same for a report of an error: None where it is damaged, too, which is that error."""
        try:
            return self.read()
        except UsageError:
            return None

    def end(self) -> None:
        """Forget the run: it is over with the first of these acts."""
        self.file.unlink(missing_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)

    def _from_json(self, data: dict[str, Any]) -> RunState:
        sources = []
        for number, source in enumerate(data["sources"]):
            content = io.BytesIO((self.run / "source" / str(number)).read_bytes())
            files = tuple(
                (name, content.read(size))
                for name, size in zip(source["files"], source["sizes"], strict=True)
            )
            ends = tuple(source["range"]) if source["range"] else None
            sources.append(Source(source["kind"], source["given"], files, ends))
        who = data["committer"]
        return RunState(
            phase=Phase(data["phase"]),
            settings=_read_settings(data["settings"]),
            branch=data["branch"],
            target=data["target"],
            onto=data["onto"],
            old=data["old"],
            committer=Signature(
                Identity(who["name"].encode("latin-1"), who["email"].encode("latin-1")),
                When(who["seconds"], who["offset"], who.get("zone", "").encode("latin-1")),
            ),
            sources=tuple(sources),
            items=tuple(map(parse_item, data["items"])),
            steps=tuple(map(_read_step, data["steps"])),
            clash=read_stop(data["clash"]) if data["clash"] else None,
            worktree=data["worktree"],
            siblings=tuple(map(_read_sibling, data.get("siblings", ()))),
            signed=tuple(data.get("signed", ())),
            convention=Record(data.get("convention", "none")),
        )


def left(state_dir: Path) -> Iterator[Journal]:
    """Journals of runs that never began, or are over: what makes a run, or several, is one file alone."""
    alone = Journal(state_dir)
    if alone.run.is_dir() and not alone.file.exists():
        yield alone
    parts = state_dir / "branches"
    if parts.is_dir() and not (state_dir / SEVERAL).exists():
        yield from [Journal(state_dir, part.name) for part in parts.iterdir()]


def _read_sibling(data: list[Any]) -> Sibling:
    name, tip, *more = data  # before older branches counted there were two
    made = tuple((item, commit) for item, commit in more[1]) if len(more) > 1 else ()
    worked_on = more[2] if len(more) > 2 else ""
    return Sibling(name, tip, older=bool(more and more[0]), made=made, worked_on=worked_on)


def _to_json(state: RunState) -> dict[str, Any]:
    who = state.committer
    return {
        "version": VERSION,
        "phase": state.phase,
        "settings": asdict(state.settings),
        "branch": state.branch,
        "target": state.target,
        "onto": state.onto,
        "old": state.old,
        "committer": {
            "name": who.who.name.decode("latin-1"),
            "email": who.who.email.decode("latin-1"),
            "seconds": who.when.seconds,
            "offset": who.when.offset,
            **({"zone": who.when.zone.decode("latin-1")} if who.when.zone else {}),
        },
        "sources": [
            {
                "kind": source.kind,
                "given": source.given,
                "files": [name for name, _ in source.files],
                "sizes": [len(data) for _, data in source.files],
                "range": list(source.range) if source.range else None,
            }
            for source in state.sources
        ],
        "items": [str(item) for item in state.items],
        "steps": [
            {
                "item": str(step.item),
                "state": step.state,
                "how": str(step.how),
                "commit": step.commit,
                "notes": list(step.notes),
            }
            | ({"parts": [[part.path, part.hunks] for part in step.parts]} if step.parts else {})
            | ({"doubts": list(step.doubts)} if step.doubts else {})
            for step in state.steps
        ],
        "clash": state.clash.to_json() if state.clash else None,
        "worktree": state.worktree,
        "siblings": [
            [
                one.name,
                one.tip,
                one.older,
                [list(pair) for pair in one.made],
                *([one.worked_on] if one.worked_on else []),
            ]
            for one in state.siblings
        ],
        "signed": list(state.signed),
        "convention": state.convention,
    }


def _read_settings(data: dict[str, Any]) -> Settings:
    kept: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    if kept["validate"] is not None:
        kept["validate"] = Level(kept["validate"])
    kept["prerequisites"] = Prerequisites(kept["prerequisites"])
    kept["record"] = Record(kept["record"])
    # Those that are compared by identity: as a string, `required` would not be required any more.
    kept["sandbox"] = SandboxUse(kept.get("sandbox", SandboxUse.AUTO))
    kept["keep"] = Keep(kept.get("keep", Keep.NONE))
    return Settings(**kept)


def _read_step(data: dict[str, Any]) -> Step:
    state = StepState(data["state"])
    way = parse_way(state, data["how"])
    parts = tuple(Part(path, hunks) for path, hunks in data.get("parts", ()))
    notes, doubts = tuple(data["notes"]), tuple(data.get("doubts", ()))
    return Step(parse_item(data["item"]), state, way, data["commit"], notes, parts, doubts)


def with_step(state: RunState, step: Step) -> RunState:
    """The state with one more step done."""
    return replace(state, steps=(*state.steps, step))
