# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects that a partial clone has not fetched yet (git clone --filter): git fetches them when asked.

libgit2 knows of no such objects.  It asks here when nobody else has one, and git gets it from the remote
that promised it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pygit2

from backport.environment import Environment
from backport.errors import GitFailed

_LAST = 0
"""Priority of a backend: below git's packs and loose objects."""
_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}


def attach_promised(repo: pygit2.Repository, git_dir: Path, environment: Environment) -> None:
    """Have what is missing fetched, if ``repo`` is a partial clone."""
    if _is_partial(repo):
        repo.odb.add_backend(_Promised(git_dir, environment), _LAST)


def _is_partial(repo: pygit2.Repository) -> bool:
    return any(
        entry.name == "extensions.partialclone"
        or (entry.name.startswith("remote.") and entry.name.endswith(".promisor"))
        for entry in repo.config
    )


class _Promised(pygit2.OdbBackend):
    """What libgit2 asks (KeyError: not found).  Whether there is an object is asked for the ids of
    strangers, too: for that nothing is fetched."""

    def __init__(self, git_dir: Path, environment: Environment) -> None:
        super().__init__()
        self._git_dir = git_dir
        self._environment = environment

    def read_cb(self, oid: pygit2.Oid) -> tuple[int, bytes]:
        """Type and content."""
        done = subprocess.run(
            ["git", "--git-dir", self._git_dir, "cat-file", "--batch"],
            env=self._environment.for_git(),
            input=f"{oid}\n".encode(),
            capture_output=True,
            check=False,
        )
        head, _, data = done.stdout.partition(b"\n")
        words = head.split()
        if len(words) != 3 or words[1] not in _KINDS:
            raise GitFailed(
                f"the object {oid} is not here, and the remote of this partial clone did not give it",
                "`git fetch` says why; the remote must be reachable",
            )
        return _KINDS[words[1]], data[: int(words[2])]

    def read_header_cb(self, oid: pygit2.Oid) -> tuple[int, int]:
        """Type and size."""
        kind, data = self.read_cb(oid)
        return kind, len(data)

    def read_prefix_cb(self, short: str) -> tuple[int, bytes, pygit2.Oid]:
        """The one object that ``short`` begins: an abbreviated id names what is here."""
        raise KeyError(short)

    def exists_prefix_cb(self, short: str) -> pygit2.Oid:
        """The whole id of the one object that ``short`` begins."""
        raise KeyError(short)

    def exists_cb(self, oid: pygit2.Oid) -> bool:
        """Nothing is fetched for a question."""
        return False

    def refresh_cb(self) -> None:
        """There is nothing to look for anew."""
