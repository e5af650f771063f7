# SPDX-License-Identifier: GPL-2.0-or-later
"""The one gateway to git.

Objects go through libgit2 (`Repo.objects`).  What the user sees as git goes through GitPython: it opens
the repository, lists branches and tags, reads the configuration (by ``git config``, which alone knows
every include, ``-c`` and ``config.worktree``; GitPython's own parser does not) and runs git.  Its writers
of refs, index and reflog are not used: they know neither compare-and-swap nor index version 4.

GitPython costs 60 ms to import and is loaded when first needed.  The environment comes as a value
(`backport.environment`); nothing here reads or changes the process's own, nor its directory.
"""

from __future__ import annotations

import heapq
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import pygit2

from backport.environment import Environment
from backport.errors import (
    BranchMoved,
    DirtyWorktree,
    GitFailed,
    NotARepository,
    UnknownRevision,
    UsageError,
)
from backport.gateway.objects import Objects
from backport.gateway.trees import TreeView
from series.model import Identity, Oid, Patch, When
from series.reading.trailers import upstream_commit

if TYPE_CHECKING:
    from git import Git as Runner
    from git import Repo as Porcelain

_PATIENCE = 15
"""Tenths of a second that a ref may stay locked before its lock counts as left behind."""

_WHOLE = 40
"""Hex digits of an id that is not abbreviated."""

_MOST_WORDS = 200
"""Patterns of one git grep; its cost grows faster than their number."""


@dataclass(frozen=True, slots=True)
class Signature:
    """An identity at a moment, as a commit holds it."""

    who: Identity
    when: When

    def raw(self) -> bytes:
        """As it stands in a commit object: ``name <email> seconds +hhmm``."""
        sign, minutes = ("-" if self.when.offset < 0 else "+"), abs(self.when.offset)
        zone = f"{self.when.seconds} {sign}{minutes // 60:02}{minutes % 60:02}".encode()
        return self.who.name + b" <" + self.who.email + b"> " + zone


@dataclass(frozen=True, slots=True)
class Worktree:
    """A worktree of the repository and the branch that is checked out there, if any."""

    path: Path
    branch: str | None


class Repo:
    """One repository, wherever the user stands in it."""

    def __init__(self, native: pygit2.Repository, environment: Environment) -> None:
        self.native = native
        self.environment = environment
        self.git_dir = Path(native.path)
        self.objects = Objects(native)
        self.common_dir = self.objects.common_dir
        self.state_dir = self.common_dir / "backport"

    # --- what is where -------------------------------------------------------------------

    def commit(self, revision: str) -> Oid:
        """The commit that ``revision`` names; raises `UnknownRevision`."""
        try:
            found = self.native.revparse_single(revision)
            return Oid(str(found.peel(pygit2.Commit).id))
        except (KeyError, ValueError, pygit2.GitError) as error:
            near = [b for b in self.branches() if revision in b or b in revision]
            hint = f"did you mean {', '.join(sorted(near)[:3])}?" if near else ""
            raise UnknownRevision(
                f"{revision!r} names no commit of {self.where}",
                hint or "`git branch -a` lists the branches",
            ) from error

    def tree(self, commit: Oid) -> TreeView:
        """The tree of a commit."""
        return TreeView(self.objects, Oid(str(self._commit(commit).tree_id)))

    def made_on(self, patch: Patch) -> TreeView | None:
        """The tree that a patch was made on, where its own commit is in the repository."""
        if patch.parent is not None:
            return self.tree(patch.parent)
        own = self.known_commit(patch)
        parents = self.parents(own) if own is not None else ()
        return self.tree(parents[0]) if parents else None

    def known_commit(self, patch: Patch) -> Oid | None:
        """The commit that a patch says it is, or is a backport of, if the repository has it."""
        named = patch.commit or upstream_commit(patch)
        # An id from a stranger's mail may name nothing here.
        if named is None or len(named) != _WHOLE or named not in self.native:
            return None
        is_commit = self.native[named].type == pygit2.enums.ObjectType.COMMIT
        return named if is_commit else None

    def branches(self, *, remote: bool = False) -> tuple[str, ...]:
        """The names of the local branches, or of the remote-tracking ones (``origin/...``)."""
        kind = _git_python().RemoteReference if remote else _git_python().Head
        return tuple(ref.name for ref in kind.iter_items(self.porcelain))

    def _commit(self, oid: Oid) -> pygit2.Commit:
        # pygit2's stubs type every lookup as a bare Object.
        return cast(pygit2.Commit, self.native[oid])

    def parents(self, commit: Oid) -> tuple[Oid, ...]:
        """The parents of a commit."""
        return tuple(Oid(str(parent)) for parent in self._commit(commit).parent_ids)

    def message(self, commit: Oid) -> bytes:
        """The raw message of a commit."""
        return bytes(self._commit(commit).raw_message)

    def branch_ref(self, branch: str) -> str:
        """The full name of a local branch; raises `UnknownRevision` when there is none."""
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        if ref not in self.native.references:
            remote = [r for r in self.branches(remote=True) if r.split("/", 1)[-1] == branch]
            hint = (
                f"`git branch {branch} {remote[0]}` makes it from the remote one" if remote else ""
            )
            self.commit(branch if not remote else remote[0])
            raise UnknownRevision(f"{branch!r} is not a local branch of {self.where}", hint)
        return ref

    def ref(self, name: str) -> Oid | None:
        """The commit a full ref name points at; None where there is no such ref."""
        reference = self.native.references.get(name)
        return Oid(str(reference.peel(pygit2.Commit).id)) if reference is not None else None

    @property
    def where(self) -> str:
        """The place to name in a message."""
        return str(self.native.workdir or self.native.path).rstrip("/")

    def log(self, tip: Oid, hide: tuple[Oid, ...] = ()) -> Iterator[Oid]:
        """Commits from ``tip`` back in topological order, without what ``hide`` reaches."""
        walk = self.native.walk(pygit2.Oid(hex=tip), pygit2.enums.SortMode.TOPOLOGICAL)
        for oid in hide:
            walk.hide(pygit2.Oid(hex=oid))
        return (Oid(str(commit.id)) for commit in walk)

    def recent(self, tip: Oid, limit: int) -> Iterator[tuple[Oid, bytes]]:
        """The newest ``limit`` commits that ``tip`` reaches, by date, with their raw messages.

        libgit2's sorted walk reads all of the history before its first answer (0.4 s on Xen); this
        one reads what it gives (5 ms for 2000).
        """
        first = self._commit(tip)
        heap = [(-first.commit_time, str(first.id), first)]
        seen = {first.id}
        for _ in range(limit):
            if not heap:
                return
            _, oid, commit = heapq.heappop(heap)
            yield Oid(oid), commit.raw_message
            for parent in commit.parents:
                if parent.id not in seen:
                    seen.add(parent.id)
                    heapq.heappush(heap, (-parent.commit_time, str(parent.id), parent))

    def merge_base(self, one: Oid, other: Oid) -> Oid | None:
        """The best common ancestor."""
        found = self.native.merge_base(pygit2.Oid(hex=one), pygit2.Oid(hex=other))
        return Oid(str(found)) if found is not None else None

    # --- configuration and identity --------------------------------------------------------

    @cached_property
    def config(self) -> Mapping[str, tuple[str, ...]]:
        """Git's configuration as it was when first asked for: every value of a key, weakest first.

        Section and variable of a key are in lower case; a variable without a value is ``true``.
        """
        found: dict[str, list[str]] = {}
        for entry in self.git("config", "--list", "-z").split("\0"):
            key, line, value = entry.partition("\n")
            if key:
                found.setdefault(key, []).append(value if line else "true")
        return {key: tuple(values) for key, values in found.items()}

    def settings(self) -> dict[str, tuple[str, ...]]:
        """Every ``backport.*`` of git's configuration, key without its section."""
        return {
            key.removeprefix("backport."): values
            for key, values in self.config.items()
            if key.startswith("backport.") and key.count(".") == 1
        }

    def committer(self) -> Signature:
        """Who commits, and the moment that every commit of this run carries."""
        who: list[str] = []
        for variable in ("NAME", "EMAIL"):
            value = self.environment.get(f"GIT_COMMITTER_{variable}")
            keys = [f"{section}.{variable.lower()}" for section in ("committer", "user")]
            if value is None:
                known = [self.config[key][-1] for key in keys if key in self.config]
                value = known[0] if known else self.environment.get(variable)
            if not value:
                raise UsageError(
                    f"git does not know who you are: {keys[-1]} is not set",
                    f"git config --global {keys[-1]} ...",
                )
            who.append(re.sub(r"[<>\n\0]", "", value).strip())
        identity = Identity(*(os.fsencode(x) for x in who))
        return Signature(identity, self._now())

    def _now(self) -> When:
        given = self.environment.get("GIT_COMMITTER_DATE")
        if given is None:
            now = time.localtime()
            return When(int(time.mktime(now)), now.tm_gmtoff // 60)
        match = re.fullmatch(r"@?(\d+)(?: ([+-])(\d\d)(\d\d))?", given.strip())
        if match is None:
            match = re.search(
                r"> (\d+) ([+-])(\d\d)(\d\d)$", self.git("var", "GIT_COMMITTER_IDENT")
            )
        if match is None:
            raise UsageError(f"GIT_COMMITTER_DATE={given!r} is not a date git understands")
        sign = -1 if match[2] == "-" else 1
        return When(int(match[1]), sign * (60 * int(match[3] or 0) + int(match[4] or 0)))

    # --- writing ---------------------------------------------------------------------------

    def write_commit(
        self,
        tree: Oid,
        parent: Oid,
        author: Signature,
        committer: Signature,
        message: bytes,
        encoding: bytes | None = None,
    ) -> Oid:
        """Store a commit object; identity, date and message go in byte for byte."""
        head = [b"tree " + tree.encode(), b"parent " + parent.encode()]
        head += [b"author " + author.raw(), b"committer " + committer.raw()]
        if encoding:
            head.append(b"encoding " + encoding)
        raw = b"\n".join(head) + b"\n\n" + message
        return self.objects.write_commit(raw)

    def keep(self, ref: str, commit: Oid) -> None:
        """Have one of our own refs (``refs/backport/...``) hold a commit, and all it reaches, on disk."""
        self.objects.store()
        self.native.references.create(ref, commit, force=True)

    def move_branch(
        self,
        ref: str,
        new: Oid,
        old: Oid | None,
        reason: str,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        """Move (or, with ``old`` None, create) a ref by compare-and-swap, with a reflog entry.

        The ref is locked as git locks it while its value is compared and ``before`` runs, so that
        nobody's commit can come between; an exception from ``before`` leaves the ref alone.  Raises
        `BranchMoved` when it is not at ``old`` any more; nothing is changed then.
        """
        self.objects.store()
        self.native.set_ident(*self._plain_identity())
        with self.native.transaction() as change:
            try:
                change.lock_ref(ref)
            except pygit2.GitError as error:
                raise GitFailed(
                    f"{ref} is locked by another git: {error}",
                    f"if none runs, remove {self.common_dir / ref}.lock, then `backport continue`",
                ) from error
            now = self.ref(ref)
            if now == old:
                before()
                change.set_target(ref, pygit2.Oid(hex=new), message=reason)
                return
        short = ref.removeprefix("refs/heads/")
        raise BranchMoved(
            f"{short} is no longer where this run began ({old[:12]}); left alone"
            if old
            else f"somebody else has made {short} since this run began; left alone",
            f"the result is kept at {new[:12]}: look at `git log {short}...{new[:12]}`",
        )

    def unlock(self, ref: str, since: float) -> None:
        """Remove the ref's lock when a killed run of ours left it: not older than ``since`` (seconds
        since the epoch), and nobody has let go of it for as long as no git holds one."""
        lock = self.common_dir / f"{ref}.lock"
        for _ in range(_PATIENCE):
            try:
                made = lock.stat().st_mtime
            except FileNotFoundError:
                return
            time.sleep(0.1)
        if made >= since - 1:
            lock.unlink(missing_ok=True)

    def _plain_identity(self) -> tuple[str, str]:
        who = self.committer().who
        return who.name.decode("utf-8", "replace"), who.email.decode("utf-8", "replace")

    def delete_ref(self, ref: str) -> None:
        """Remove a ref if it is there."""
        if ref in self.native.references:
            self.git("update-ref", "-d", ref)

    # --- git itself ------------------------------------------------------------------------

    @cached_property
    def porcelain(self) -> Porcelain:
        """GitPython's view, for what is the user's."""
        library = _git_python()
        try:
            found: Porcelain = library.Repo(str(self.git_dir), expand_vars=False)
        except (library.InvalidGitRepositoryError, library.NoSuchPathError) as error:
            raise NotARepository(f"the repository at {self.where} cannot be opened") from error
        # GitPython takes a stray GIT_COMMON_DIR of the process for any repository's.
        found._common_dir = str(self.common_dir)
        return found

    def git(self, *words: str, cwd: Path | None = None, index: Path | None = None) -> str:
        """Run git; its output without the last newline.  Raises `GitFailed`.

        It sees the objects that `Objects.store` has stored.
        """
        library = _git_python()
        extra = {"GIT_INDEX_FILE": str(index)} if index else {}
        try:
            out = self._runner(cwd).execute(
                self._command(*words),
                env=self.environment.for_git() | extra,
                strip_newline_in_stdout=True,
            )
        except library.GitCommandError as error:
            verb = next(
                (word for word in words if not word.startswith("-") and "=" not in word), ""
            )
            said = str(error.stderr).strip().removeprefix("stderr: ").strip("' \n")
            raise GitFailed(f"git {verb} failed: {said or error.status}") from error
        assert isinstance(out, str)
        return out

    def feed(self, data: bytes, *words: str, cwd: Path | None = None) -> None:
        """Run git with ``data`` as its standard input.  Raises `GitFailed`."""
        process = self._runner(cwd).execute(
            self._command(*words), env=self.environment.for_git(), istream=-1, as_process=True
        )
        _, said = process.communicate(data)
        if process.returncode:
            raise GitFailed(f"git {words[0]} failed: {said.decode('utf-8', 'replace').strip()}")

    def words(self, tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
        """Those of ``names`` (identifiers) that some text file of a stored tree holds as a whole word."""
        found: set[bytes] = set()
        wanted = sorted(name.decode() for name in names)
        for at in range(0, len(wanted), _MOST_WORDS):
            patterns = [word for name in wanted[at : at + _MOST_WORDS] for word in ("-e", name)]
            status, out, err = self._runner(self.git_dir).execute(
                self._command("grep", "-h", "-o", "-w", "-F", "-I", *patterns, tree),
                env=self.environment.for_git(),
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
            )
            if status > 1:  # 1: none of them
                raise GitFailed(f"git grep failed: {err}")
            found.update(out.split())
        return frozenset(found)

    def _runner(self, cwd: Path | None) -> Runner:
        runner: Runner = _git_python().Git(str(cwd or self.native.workdir or self.git_dir))
        return runner

    def _command(self, *words: str) -> list[str]:
        """GitPython adds to the process's environment and takes nothing from it: env(1) does."""
        strays = self.environment.strays
        away = [word for name in strays for word in ("-u", name)]
        return ["env", *away, "git", *words] if away else ["git", *words]

    def worktrees(self) -> tuple[Worktree, ...]:
        """Every worktree, the main one first (a bare repository has none)."""
        found: list[Worktree] = []
        for block in self.git("worktree", "list", "--porcelain").split("\n\n"):
            lines = dict(line.partition(" ")[::2] for line in block.splitlines())
            if "worktree" in lines and "bare" not in lines:
                branch = lines.get("branch")
                found.append(Worktree(Path(lines["worktree"]), branch))
        return tuple(found)

    def checked_out(self, ref: str) -> Worktree | None:
        """The worktree in which the branch is checked out, if any."""
        # The common case, asked of libgit2: nothing but the main worktree.
        if not (self.common_dir / "worktrees").is_dir():
            head = self.native.references.get("HEAD")
            if self.native.workdir and head is not None and head.target == ref:
                return Worktree(Path(self.native.workdir), ref)
            return None
        return next((tree for tree in self.worktrees() if tree.branch == ref), None)

    def refuse_dirty(self, ref: str) -> None:
        """Raise `DirtyWorktree` when the branch is checked out with uncommitted changes."""
        where = self.checked_out(ref)
        if where is None:
            return
        native = pygit2.Repository(str(where.path))
        dirty = sorted(
            path
            for path, status in native.status(untracked_files="no").items()
            if status != pygit2.enums.FileStatus.CURRENT
        )
        if dirty:
            more = f" and {len(dirty) - 3} more" if len(dirty) > 3 else ""
            raise DirtyWorktree(
                f"{ref.removeprefix('refs/heads/')} is checked out in {where.path}"
                f" with changes: {', '.join(dirty[:3])}{more}",
                "commit or stash them, or give the result another branch with --to NAME",
            )


def open_repo(path: Path | None, environment: Environment) -> Repo:
    """The repository that holds ``path`` (None: where the process stands).  Raises `NotARepository`."""
    start = (path or Path()).resolve()
    found = pygit2.discover_repository(str(start)) if start.exists() else None
    if found is None:
        raise NotARepository(
            f"{start} is not in a git repository", "go to one, or name it with --repo DIR"
        )
    try:
        return Repo(pygit2.Repository(found), environment)
    except pygit2.GitError as error:
        raise NotARepository(f"the repository at {start} cannot be opened: {error}") from error


def _git_python() -> ModuleType:
    """GitPython, which looks for git itself when it is loaded."""
    try:
        import git
    except ImportError as error:
        raise GitFailed(
            f"git cannot be run: {str(error).strip().partition(chr(10))[0]}",
            "Debian: apt install git",
        ) from error
    return git
