# SPDX-License-Identifier: GPL-2.0-or-later
"""The commits of a run, signed: once, when all are proven, just before the branch moves.

What is proven are trees, so a signature made earlier would be made again after each change of mind.  A
signature holds its own moment: the ids go into the journal at once, and a run that is killed behind that
moves the branch to the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from backport.gateway import refs
from backport.gateway.repository import Repo
from backport.gateway.signing import SigningFailed, find_signer, with_signature
from backport.run.journal import Journal, RunState
from series.model import Oid, shown


def signed(repo: Repo, journal: Journal, state: RunState) -> RunState:
    """The state with the ids of its signed commits; as it was where the user does not sign.

    Raises `SigningFailed`; the run waits to be continued then.
    """
    made = [step.commit for step in state.steps if step.commit is not None]
    if state.signed or not made:
        return state
    found: list[Oid] = []
    at = made[0]
    try:
        signer = find_signer(repo, state.committer)
        if signer is None:
            return state
        parent = state.onto
        for at in made:
            raw = _on(repo.objects.raw_commit(at), parent)
            parent = repo.objects.write_commit(with_signature(raw, signer.sign(raw)))
            found.append(parent)
    except SigningFailed as error:
        subject = shown(repo.message(at).split(b"\n", 1)[0])
        branch = state.target.removeprefix("refs/heads/")
        left = f"{branch} was not {'moved' if state.old else 'created'}"
        raise SigningFailed(
            f"commit {len(found) + 1} of {len(made)}, {subject!r}, could not be signed; {left}:\n"
            f"  {error.message}",
            "make the key usable, then `backport continue`; or leave the commits unsigned:"
            " `git -c commit.gpgsign=false backport continue`",
        ) from error
    state = replace(state, signed=tuple(found))
    refs.keep(repo, journal.ref, state.end)
    journal.write(state)
    return state


def _on(raw: bytes, parent: Oid) -> bytes:
    """A commit object with another parent."""
    tree, _, rest = raw.partition(b"\n")
    _, _, rest = rest.partition(b"\n")
    return tree + b"\nparent " + parent.encode() + b"\n" + rest


def signed_on(
    repo: Repo, onto: Oid, commits: Sequence[Oid], known: Sequence[Oid] = ()
) -> tuple[Oid, ...]:
    """Commits upon ``onto`` signed, if the user signs; those of ``known`` at its beginning stay.

    Raises `SigningFailed`.
    """
    signer = find_signer(repo, repo.committer())
    if signer is None:
        return tuple(commits)
    found: list[Oid] = []
    parent = onto
    for number, commit in enumerate(commits):
        if found != list(commits[:number]) or commit not in known:
            raw = _on(repo.objects.raw_commit(commit), parent)
            commit = repo.objects.write_commit(with_signature(raw, signer.sign(raw)))
        found.append(commit)
        parent = commit
    return tuple(found)
