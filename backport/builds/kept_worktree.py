# SPDX-License-Identifier: GPL-2.0-or-later
"""The worktree that builds run in: kept from run to run, and never trusted.

The tree's own code runs there, so what lies in it says nothing about the repository: git is told where
its own folder is, and follows neither hooks nor a monitor that a build may have set up.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from backport.builds.build_files import is_build_file
from backport.builds.leftovers import end_leftovers
from backport.errors import CannotTest, GitFailed
from backport.gateway.changed_paths import changed_paths
from backport.gateway.pointers import path_in
from backport.gateway.repository import Repo
from backport.gateway.submodules import Submodules
from backport.gateway.tree_paths import tree_paths
from backport.gateway.worktrees import forget_half_made, forget_worktree
from series.model import Oid

_TRUST_NOTHING = (
    *("-c", "core.sparseCheckout=false"),
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "core.trustctime=true", "-c", "core.checkStat=default"),
    *("-c", "submodule.recurse=false"),  # they are laid out from clones that are there
)
"""The worktree is where the tree's own code runs; the user's hooks are not for it either."""
_AT_ONCE = 500
"""Paths that one command of git is given."""
_FILTER = re.compile(r"filter\..+\.(smudge|process)", re.DOTALL)


class KeptWorktree:
    """``.git/backport/build``, and whether what lies in it can be built upon."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.folder = repo.state_dir / "build"
        self.prefix: tuple[str, ...] = ()
        """What goes before a command so that it runs in the sandbox."""
        self._unclean = repo.state_dir / "build-unclean"
        """There from before a build until it has succeeded: what lies in the worktree is suspect."""
        self._date = repo.state_dir / "build-date"
        """The one date that the tree's files were given, in ns."""
        self._around = repo.state_dir / "build-around"
        """A digest of the command and its surroundings that made what lies here."""
        self._aside = repo.state_dir / "build-aside"
        """Where all of that is while a step is built from nothing."""
        self._index = repo.state_dir / "build-aside-index"
        self._root_date = 0
        """The date of the folder itself when it was set aside, in ns."""
        self._left = repo.state_dir / "build-left"
        """The files of the tree that lie here as a build has left them."""
        self._left_aside = repo.state_dir / "build-aside-left"
        self.submodules = Submodules(repo)
        self._lay_index = repo.state_dir / "build-submodule-index"
        self._laid = repo.state_dir / "build-submodules"
        """The submodules that lie here, and those that are absent."""

    @property
    def suspect(self) -> bool:
        """Whether a build began here and did not succeed."""
        return self._unclean.exists()

    def begin(self) -> None:
        """A build begins."""
        self._unclean.touch()

    def succeed(self) -> None:
        """What lies here was made by builds that succeeded."""
        self._unclean.unlink(missing_ok=True)

    def is_made_by(self, around: str) -> bool:
        """Whether what lies here is the work of that command, by those tools."""
        return self._around.exists() and self._around.read_text() == around

    def make_by(self, around: str) -> None:
        """What is built here from now on, from nothing, is the work of that command."""
        self._around.write_text(around)

    def set_aside(self) -> int:
        """Have an empty folder in this place; what lies here comes back by `put_back`, which is given what
        this returns."""
        end_leftovers(self.folder)
        self.forget_aside()
        date = self.date
        admin = self._admin()
        assert admin is not None
        (admin / "index").rename(self._index)
        if self._left.exists():
            self._left.rename(self._left_aside)
        mode = self.folder.stat().st_mode
        self._root_date = self.folder.stat().st_mtime_ns
        self.folder.rename(self._aside)
        self.folder.mkdir()
        self.folder.chmod(mode)
        (self._aside / ".git").rename(self.folder / ".git")
        return date

    def put_back(self, date: int) -> None:
        """What was set aside lies here again, as if nothing else had been built."""
        end_leftovers(self.folder)
        admin = self._admin()
        assert admin is not None
        (self.folder / ".git").rename(self._aside / ".git")
        _remove(self.folder)
        self._aside.rename(self.folder)
        os.utime(self.folder, ns=(self._root_date, self._root_date))
        self._index.rename(admin / "index")
        self._left.unlink(missing_ok=True)
        if self._left_aside.exists():
            self._left_aside.rename(self._left)
        self._date.write_text(str(date))
        self.succeed()

    def forget_aside(self) -> None:
        """What was set aside is of no more use."""
        if self._aside.exists():
            _remove(self._aside)
        self._index.unlink(missing_ok=True)
        self._left_aside.unlink(missing_ok=True)

    def renew(self, commit: Oid) -> None:
        """Have the commit's files there and nothing else, as in a new worktree.

        Everything goes and is written anew: what a build did to files, modes and folders is undone, also
        where git would not see it.  All files then have one date, so that none is newer than another by
        the way it was written.
        """
        end_leftovers(self.folder)
        for entry in os.scandir(self.folder):
            if entry.name != ".git":
                _remove(Path(entry.path))
        admin = self._admin()
        assert admin is not None
        (admin / "index").unlink(missing_ok=True)  # it may say that a file need not be looked at
        self._left.unlink(missing_ok=True)
        self._git("reset", "--hard", "-q", commit)
        self._lay_submodules(commit)
        self._set_dates(commit)

    def leave(self, paths: Collection[str]) -> None:
        """Have check-outs pass over these files of the tree, which a build has changed or removed, as long as
        commits do not change them."""
        self._mark("--skip-worktree", paths)
        self._note_left(paths)

    def _note_left(self, paths: Collection[str]) -> None:
        if paths:
            self._left.write_bytes(b"\0".join(map(os.fsencode, sorted(paths))))
        else:
            self._left.unlink(missing_ok=True)

    def _pass_over_no_longer(self, before: Oid, commit: Oid) -> None:
        """Where a commit changes such a file, it is one like the others again."""
        if self._left.exists():
            left = set(map(os.fsdecode, self._left.read_bytes().split(b"\0")))
            old, new = self.repo.tree(before).id, self.repo.tree(commit).id
            changed = left.intersection(map(os.fsdecode, changed_paths(self.repo, old, new)))
            self._mark("--no-skip-worktree", changed)
            self._note_left(left - changed)

    def _mark(self, how: str, paths: Collection[str]) -> None:
        names = sorted(paths)
        for at in range(0, len(names), _AT_ONCE):
            self._git("update-index", how, "--", *names[at : at + _AT_ONCE])

    def _lay_submodules(self, commit: Oid) -> None:
        for one in self.submodules.of(commit):
            if one.git_dir is not None:
                place = self.folder / one.path
                place.mkdir(parents=True, exist_ok=True)
                self._lay_index.unlink(missing_ok=True)
                of = f"--git-dir={one.git_dir}"
                filters = self._filters(self.repo.git.config_of(one.git_dir))
                words = (*_TRUST_NOTHING, *filters, of, f"--work-tree={place}")
                read = ("read-tree", "--reset", "-u", one.commit)
                try:
                    self.repo.git(*words, *read, cwd=place, index=self._lay_index)
                except GitFailed as error:
                    raise CannotTest(
                        f"the submodule {one.path} cannot be laid out: {error}",
                        "`git submodule update --init --recursive --force` may complete its clone",
                    ) from error
        self._lay_index.unlink(missing_ok=True)
        if said := self._said_of_submodules(commit):
            self._laid.write_text(said)
        else:
            self._laid.unlink(missing_ok=True)

    def _said_of_submodules(self, commit: Oid) -> str:
        return "".join(
            f"{one.path} {one.commit if one.git_dir else 'absent'}\n"
            for one in self.submodules.of(commit)
        )

    def _lies_as(self, commit: Oid) -> bool:
        """Whether the submodules of a commit are those that lie here."""
        laid = self._laid.read_text() if self._laid.exists() else ""
        return laid == self._said_of_submodules(commit)

    def _set_dates(self, commit: Oid) -> None:
        now = time.time_ns()
        self._date.write_text(str(now))
        paths = list(tree_paths(self.repo, commit))
        for one in self.submodules.of(commit):
            inside = (self.folder / one.path).rglob("*")
            paths += (
                str(x.relative_to(self.folder)) for x in inside if x.is_symlink() or not x.is_dir()
            )
        self._give_date(paths, now)
        self._give_date(_folders(paths), now)
        self._git("update-index", "-q", "--really-refresh")

    def _give_date(self, paths: Iterable[str], date: int) -> None:
        for path in paths:
            with contextlib.suppress(OSError):  # a submodule, or what is gone
                os.utime(self.folder / path, ns=(date, date), follow_symlinks=False)

    @property
    def date(self) -> int:
        """The one date that the tree's files have, in ns; 0 where it is not known."""
        return int(self._date.read_text()) if self._date.exists() else 0

    def redate(self, before: Oid, commit: Oid) -> None:
        """Give what a step changed the date of all the others: a clean build cannot tell them apart."""
        date = self.date
        if not date:
            return
        old, new = self.repo.tree(before).id, self.repo.tree(commit).id
        changed = (os.fsdecode(path) for path in changed_paths(self.repo, old, new))
        self._give_date(changed, date)
        # Else the next check-out takes them for files that somebody changed, and writes them anew.
        self._git("update-index", "-q", "--really-refresh")

    def check_out(self, commit: Oid) -> Oid | None:
        """Have the commit's files there, and with them what the build of another has left.

        Returns that other commit; None where nothing can be built upon: then `renew` comes next.
        """
        self.repo.objects.store()  # git checks out what is stored
        self.forget_aside()  # of a killed run
        if self.suspect:
            end_leftovers(self.folder)
        forget_half_made(self.repo, self.folder)
        admin = self._admin()
        if admin is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            forget_worktree(self.repo, self.folder)
            add = ("worktree", "add", "--detach", "--force", "--no-checkout")
            self.repo.git(*_TRUST_NOTHING, *add, str(self.folder), commit)
            return None
        for lock in (admin / "index.lock", admin / "HEAD.lock"):
            if lock.exists():  # ours, from a killed run: files may lie there that no commit has
                self.begin()
                lock.unlink()
        before = Oid(self._git("rev-parse", "HEAD"))
        if self.suspect:
            return None
        self._pass_over_no_longer(before, commit)
        dates = self._folder_dates(before, commit)
        try:
            self._git("checkout", "--detach", "--force", "-q", commit)
        except GitFailed:
            self.begin()
            raise
        for path, date in dates.items():
            if path.is_dir() and path.resolve() == path:
                os.utime(path, ns=(date, date))
        return before if self._lies_as(commit) else None

    def _folder_dates(self, before: Oid, commit: Oid) -> dict[Path, int]:
        """The dates of the folders in which a step changes files; of new ones, that of the tree's files.

        In a clean build, what the build makes in a folder gives it a date, and not what a step brings.
        """
        if not self.date:
            return {}
        old, new = self.repo.tree(before).id, self.repo.tree(commit).id
        root = self.folder.resolve()
        found: dict[Path, int] = {}
        for name in _folders(map(os.fsdecode, changed_paths(self.repo, old, new))):
            path = root / name
            try:
                found[path] = path.lstat().st_mtime_ns
            except OSError:
                found[path] = self.date
        return found

    def remove(self) -> None:
        """Leave neither the worktree nor git's entry for it: who interrupts wants it gone."""
        end_leftovers(self.folder)
        self.forget_aside()
        admin = self._admin()
        shutil.rmtree(self.folder, ignore_errors=True)
        if admin is not None:
            shutil.rmtree(admin, ignore_errors=True)

    @property
    def untouched(self) -> bool:
        """Whether there are no files but the commit's own, as it has them."""
        return not self._git("status", "--porcelain", "--ignored", "-unormal", "--no-renames")

    def drop_unmade(self, before: Oid, commit: Oid, names: Iterable[str]) -> None:
        """Remove files that another makefile may no longer make, where the two commits' differ."""
        old, new = self.repo.tree(before).id, self.repo.tree(commit).id
        if any(map(is_build_file, changed_paths(self.repo, old, new))):
            for place in filter(None, map(self._file, names)):
                place.unlink()

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none inside the worktree."""
        place = self._file(name)
        return place.read_bytes() if place is not None else None

    def _file(self, name: str) -> Path | None:
        """Where a file is; None where there is none inside the worktree: a build may have made links."""
        place = self.folder / name
        inside = place.is_file() and place.resolve().is_relative_to(self.folder.resolve())
        return place if inside else None

    def _admin(self) -> Path | None:
        """Git's own folder for the worktree; None when there is none.

        It is looked up from the repository's side.  The worktree's ``.git`` file lies where the tree's
        own code runs: what it says is put right, never followed.
        """
        pointer = self.folder / ".git"
        for entry in sorted((self.repo.common_dir / "worktrees").glob("*/gitdir")):
            if path_in(entry) == pointer and self.folder.is_dir():
                wanted = b"gitdir: " + os.fsencode(entry.parent) + b"\n"
                if not pointer.is_file() or pointer.is_symlink() or pointer.read_bytes() != wanted:
                    if pointer.is_dir() and not pointer.is_symlink():
                        shutil.rmtree(pointer)
                    pointer.unlink(missing_ok=True)
                    pointer.write_bytes(wanted)
                return entry.parent
        return None

    def _git(self, *words: str) -> str:
        admin = self._admin()
        assert admin is not None
        where = (f"--git-dir={admin}", f"--work-tree={self.folder}")
        return self.repo.git(
            *_TRUST_NOTHING, *self._filters(self.repo.git.config), *where, *words, cwd=self.folder
        )

    def _filters(self, config: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """The user's filters (gitattributes(5)) have them run where builds do: the tree says which of
        them runs, and on what."""
        if not self.prefix:
            return ()
        found: list[str] = []
        for key, values in config.items():
            if _FILTER.fullmatch(key) and values[-1]:
                script = values[-1].replace("%f", '"$1"')
                boxed = shlex.join((*self.prefix, "/bin/sh", "-c", script, "sh"))
                found += ["-c", f"{key}={boxed} %f"]
        return tuple(found)


def _folders(paths: Iterable[str]) -> set[str]:
    """The folders above these paths, the root ("") too."""
    found = {""}
    for path in paths:
        while (path := os.path.dirname(path)) not in found:  # noqa: PTH120 (a tenth of pathlib's time)
            found.add(path)
    return found


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder, also one whose mode forbids it."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        for folder, folders, _ in os.walk(path):
            for name in folders:
                place = Path(folder, name)
                if not place.is_symlink():
                    place.chmod(0o700)
        path.chmod(0o700)
        shutil.rmtree(path)
