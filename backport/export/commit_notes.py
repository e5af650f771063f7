# SPDX-License-Identifier: GPL-2.0-or-later
"""How far each commit is proven, in ``refs/notes/backport``: evidence that travels with `git push`.

A note is lines of ``key: value``, readable in `git log --notes=backport`; ``note: 1`` is the first, and a
reader shows a note in any other form as text.  The tree of notes is made by git's fast-import, which knows
its fan-out; the ref moves once, by compare-and-swap.  Somebody else's notes are only words, unless a key that
the user names (``backport.notesKey``) has signed their last commit.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from msgspec import Struct

from backport.config import Settings, level_of
from backport.errors import GitFailed
from backport.export.run_record import Fortune, RunRecord, StepRecord
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.gateway.signing import find_signer, with_signature
from backport.levels import Level
from series.model import Oid, escaped

REF = "refs/notes/backport"
_FORMAT = "1"
_MADE = "refs/backport/notes"
"""Where fast-import puts the tree, until the commit of the notes is made of it."""
_LINE = re.compile(r"([a-z][a-z ]{0,30}): (.*)")
_CC = re.compile(r"(?:^|\s)CC=(\S+)")


class Note(Struct, frozen=True):
    """What is noted of a commit; ``lines`` of key and value, or ``text`` in another form."""

    lines: tuple[tuple[str, str], ...]
    text: str
    signer: str
    """The fingerprint of the key that has signed the notes; empty without a good signature."""
    counts: bool
    """Whether that is a key of the user's."""


def write_notes(repo: Repo, record: RunRecord, settings: Settings, tool: str) -> int:
    """Note every commit of a record; how many.  Raises `GitFailed`."""
    made = [step for step in record.steps if step.commit is not None and _worth_it(step)]
    if not made:
        return 0
    compiler = _compiler(repo, settings)
    repo.objects.store()
    old, who = _now(repo), repo.committer()
    parts = [f"commit {_MADE}\ncommitter ".encode() + who.raw() + b"\n" + _data(b"notes")]
    parts += [f"from {old}\n".encode()] if old else []
    for step in made:
        text = "".join(f"{line}\n" for line in _lines(record, step, settings, tool, compiler))
        parts.append(f"N inline {step.commit}\n".encode() + _data(text.encode("utf-8", "replace")))
    repo.git.feed(b"".join(parts), "fast-import", "--quiet", "--force")
    try:
        tree = Oid(repo.git("rev-parse", f"{_MADE}^{{tree}}"))
        commit = _commit(repo, tree, old, who, len(made))
        repo.git("update-ref", "-m", "backport: notes", REF, commit, old or "0" * 40)
    finally:
        repo.git("update-ref", "-d", _MADE)
    return len(made)


def read_note(repo: Repo, commit: Oid, keys: Sequence[str]) -> Note | None:
    """What is noted of a commit; None where nothing is."""
    if _now(repo) is None:
        return None
    try:
        data = repo.git.read("notes", f"--ref={REF}", "show", commit)
    except GitFailed:
        return None
    text = data.decode("utf-8", "backslashreplace")
    lines = text.rstrip("\n").split("\n")
    matches = [_LINE.fullmatch(line) for line in lines]
    known = bool(lines) and lines[0] == f"note: {_FORMAT}" and all(matches)
    found = tuple((m[1], escaped(m[2])) for m in matches if m is not None) if known else ()
    signer = _signer(repo)
    counts = bool(signer) and any(
        signer.upper().endswith(_plain(key)) for key in keys if _plain(key)
    )
    return Note(found, "" if known else "\n".join(map(escaped, lines)), signer, counts)


def _plain(key: str) -> str:
    """A fingerprint without blanks; nothing shorter than 16 digits names a key."""
    plain = re.sub(r"\s|^0x", "", key).upper() if not key.startswith("SHA256:") else key.upper()
    return plain if len(plain) >= 16 else ""


def _worth_it(step: StepRecord) -> bool:
    return step.fortune in (Fortune.APPLIED, Fortune.RESOLVED, Fortune.CHECKED) and (
        step.verdict is not None or step.fortune is not Fortune.CHECKED
    )


def _lines(
    record: RunRecord, step: StepRecord, settings: Settings, tool: str, compiler: str
) -> Iterator[str]:
    yield f"note: {_FORMAT}"
    verdicts = step.verdict.verdicts if step.verdict is not None else ()
    for verdict in verdicts:
        summary = f", {escaped(verdict.summary)}" if verdict.summary else ""
        yield f"{verdict.validator}: {verdict.state.value}{summary}"
    if not verdicts:
        yield "proven: nothing was"
    if step.fortune is not Fortune.CHECKED:
        how = f", {escaped(step.how)}" if step.how else ""
        yield f"put on: {step.fortune}{how}"
        yield f"branch: {escaped(record.target)}"
    if step.pick_class is not None:
        yield f"class: {step.pick_class}"
    if step.origin:
        yield f"origin: {step.origin}"
    for note in step.notes:
        yield f"{'doubt' if note in step.doubts else 'adapted'}: {escaped(note)}"
    if verdicts and level_of(settings)[0] not in (Level.NONE, Level.BUILD):
        yield f"profile: {escaped(settings.profile)}"
    if verdicts:
        yield f"built by: {escaped(settings.build or '')}"
        yield f"compiler: {escaped(compiler)}"
    yield f"tool: {tool}"


def _compiler(repo: Repo, settings: Settings) -> str:
    """The first line of what the compiler says of itself."""
    named = _CC.search(settings.build or "")
    try:
        words = shlex.split(named[1]) if named else ["cc"]
    except ValueError:
        words = ["cc"]
    program = shutil.which(words[0], path=repo.environment.get("PATH"))
    if program is None:
        return "not known"
    done = subprocess.run(
        [program, "--version"],
        env=repo.environment.for_builds(),
        capture_output=True,
        timeout=20,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace").partition("\n")[0] or "not known"


def _now(repo: Repo) -> Oid | None:
    return repo.ref(REF)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _commit(repo: Repo, tree: Oid, old: Oid | None, who: Signature, count: int) -> Oid:
    """The commit of the notes, signed if the user signs."""
    head = [b"tree " + tree.encode()] + ([b"parent " + old.encode()] if old else [])
    head += [b"author " + who.raw(), b"committer " + who.raw()]
    raw = b"\n".join(head) + f"\n\nbackport: notes on {count} commits\n".encode()
    signer = find_signer(repo, who)
    commit = repo.objects.write_commit(
        with_signature(raw, signer.sign(raw)) if signer is not None else raw
    )
    repo.objects.store()
    return commit


def _signer(repo: Repo) -> str:
    """The fingerprint of a good signature on the notes; the tree is signed, so it holds for all of them."""
    try:
        out = repo.git("log", "-1", "--format=%G?%n%GF", REF)
    except GitFailed:
        return ""
    state, _, fingerprint = out.partition("\n")
    return fingerprint.strip() if state in ("G", "U") else ""
