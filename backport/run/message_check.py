# SPDX-License-Identifier: GPL-2.0-or-later
"""The commits that a message names, checked before it is a commit itself.

Do they exist, are they where others have them, and is the subject that is quoted theirs?  Looked at are
``Fixes:``, and where a commit was picked from (``cherry picked from commit``, ``master commit:``,
``commit … upstream.``).  Others have what is on upstream or on any branch of a remote: a fix of a stable
branch alone names that branch's commits, also when it is picked to an older one.  Where there is no remote,
what the branch itself has counts as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from backport.errors import UnknownRevision
from backport.gateway.repository import Repo
from series.model import Oid, shown
from series.reading.trailers import PICKED, UPSTREAM, parse_trailers

_SHA = re.compile(rb"(?:commit\s+)?([0-9a-fA-F]{7,64})\b")
_QUOTED = re.compile(rb"\(?[\"'](.+)[\"']\)?\s*\Z", re.S)
_SCISSORS = re.compile(rb"^. -+ >8 -+$", re.M)
_ORIGINS = (PICKED, UPSTREAM, "master commit")


class MessageCheck(Struct, frozen=True):
    """``named`` commits were looked up on ``upstream`` (names of branches); what is ``wrong`` with them."""

    named: int
    upstream: tuple[str, ...]
    wrong: tuple[str, ...]


def check_message(repo: Repo, message: bytes, upstream: str | None) -> MessageCheck:
    """Check the message that an editor has left; ``upstream`` is ``backport.upstream``."""
    branches = tuple(_branches(repo, upstream))
    named = tuple(_named(_without_comments(repo, message)))
    # Picked from branch to branch, it names each of them; not all need be here.
    known = any(key in _ORIGINS and repo.find_commit(sha) is not None for key, sha, _ in named)
    looked = [
        each
        for each in named
        if not (known and each[0] in _ORIGINS and repo.find_commit(each[1]) is None)
    ]
    wrong = tuple(line for each in looked for line in _wrong(repo, *each, branches))
    return MessageCheck(len(named), tuple(name for name, _ in branches), wrong)


def _branches(repo: Repo, upstream: str | None) -> Iterator[tuple[str, Oid]]:
    if upstream is not None:
        yield upstream, repo.branch_tip(upstream)
    try:
        yield "@{upstream}", repo.commit("@{upstream}")
    except UnknownRevision:
        return


def _without_comments(repo: Repo, message: bytes) -> bytes:
    """As git will strip it."""
    config = repo.git.config
    char = (config.get("core.commentchar") or ("#",))[-1].encode()
    cut = _SCISSORS.search(message)
    lines = message[: cut.start() if cut else len(message)].split(b"\n")
    mark = b"#" if char == b"auto" else char
    return b"\n".join(line for line in lines if not line.startswith(mark))


def _named(message: bytes) -> Iterator[tuple[str, Oid, bytes | None]]:
    """What the message says of it, its id, and the subject that is quoted."""
    for trailer in parse_trailers(message):
        if trailer.key.lower() != "fixes" and trailer.key not in _ORIGINS:
            continue
        sha = _SHA.match(trailer.value)
        if sha is not None:
            quoted = _QUOTED.search(trailer.value, sha.end())
            yield trailer.key, Oid(sha[1].decode().lower()), quoted[1] if quoted else None


def _wrong(
    repo: Repo, key: str, named: Oid, quoted: bytes | None, branches: tuple[tuple[str, Oid], ...]
) -> Iterator[str]:
    commit = repo.find_commit(named)
    if commit is None:
        yield f"{key} {named}: no such commit here"
        return
    text = repo.message(commit)
    subject = b" ".join(text.split(b"\n\n", 1)[0].split())
    # Old importers wrote a line of their own above it.
    lines = [subject, *text.split(b"\n")]
    if quoted is not None and _words(quoted) not in map(_words, lines):
        yield f"{key} {named}: its subject is {shown(subject)!r}, not {shown(quoted)!r}"
    if branches and not _is_public(repo, commit, [tip for _, tip in branches]):
        yield f"{key} {named}: not on {' or '.join(name for name, _ in branches)}"


def _words(subject: bytes) -> list[bytes]:
    """A subject as people quote it: on several lines, without the full stop at its end."""
    return subject.rstrip(b" .").split()


def _is_public(repo: Repo, commit: Oid, upstream: Sequence[Oid]) -> bool:
    """Whether others have it."""
    if any(_holds(repo, tip, commit) for tip in upstream):
        return True
    remote = ("for-each-ref", "--count=1", "refs/remotes")
    if repo.git(*remote):
        return bool(repo.git(*remote, "--contains", commit))
    head = repo.head()
    return head is not None and _holds(repo, head, commit)


def _holds(repo: Repo, tip: Oid, commit: Oid) -> bool:
    return tip == commit or repo.merge_base(tip, commit) == commit
