# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiny repositories from compact descriptions, made by git itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pygit2
from typer.testing import CliRunner, Result

from backport.environment import Environment
from backport.gateway import repository

Files = Mapping[str, str | bytes | None]


def git(repo: Path, *words: str, stdin: bytes | None = None) -> str:
    """Run git in ``repo``; its output."""
    if words[0] == "rev-parse" and len(words) == 2 and (found := _id(repo, words[1])):
        return found
    done = subprocess.run(
        ["git", "-C", str(repo), *words], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr.decode()}"
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def _id(repo: Path, name: str) -> str:
    """What a name stands for, without a process: thousands are looked up.  Empty where git must say it."""
    try:
        return str(pygit2.Repository(str(repo)).revparse_single(name).id)
    except (pygit2.GitError, KeyError, ValueError):
        return ""


def new_repo(folder: Path, files: Files, branch: str = "stable") -> Path:
    """A repository with one commit on ``branch``."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", branch)
    commit(folder, files, "base")
    return folder


def copied(template: Path, folder: Path) -> Path:
    """A copy of a repository; git takes a look at it, since a copy has other times."""
    shutil.copytree(template, folder, symlinks=True)
    git(folder, "update-index", "-q", "--refresh")
    return folder


def two_files(folder: Path, *patches: tuple[str, Files]) -> Path:
    """``stable`` with a.c and b.c of thirty lines each, and ``topic`` with ``patches`` on it."""
    made = new_repo(folder, {"a.c": lines(), "b.c": lines()})
    branch_with(made, "topic", "stable", *patches)
    return made


def commit(repo: Path, files: Files, message: str) -> str:
    """Commit ``files`` (None deletes); the commit's id."""
    for name, content in files.items():
        path = repo / name
        if content is None:
            git(repo, "rm", "-q", name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git(repo, "add", "-A")
    # What git would start afterwards, to see whether there is something to tidy up, is a process each time.
    git(repo, "-c", "maintenance.auto=false", "commit", "-q", "--allow-empty", "-m", message)
    return _head(repo)


def _head(repo: Path) -> str:
    """The commit that is checked out, read where git has just written it, else as git says."""
    folder = repo / ".git"
    try:
        name = (folder / "HEAD").read_text().removeprefix("ref: ").strip()
        return (folder / name).read_text().strip()
    except OSError:
        return git(repo, "rev-parse", "HEAD")


def branch_with(repo: Path, name: str, start: str, *steps: tuple[str, Files]) -> list[str]:
    """A branch of commits ``(message, files)``; what is checked out stays.

    One process makes them all.  What needs a worktree (attributes, ignored files) is for `commit`.
    """
    who = {role: _ident(role) for role in ("AUTHOR", "COMMITTER")}
    tree = pygit2.Repository(str(repo)).revparse_single(start).peel(pygit2.Tree)
    stream = [f"reset refs/heads/{name}\nfrom {start}^0\n\n".encode()]
    for mark, (message, files) in enumerate(steps, 1):
        stream.append(f"commit refs/heads/{name}\nmark :{mark}\n".encode())
        stream += [f"{role.lower()} {ident}\n".encode() for role, ident in who.items()]
        stream.append(_data(f"{message.strip()}\n"))
        for path, content in files.items():
            quoted = os.fsencode(json.dumps(path, ensure_ascii=False))
            if content is None:
                stream.append(b"D " + quoted + b"\n")
            else:
                stream += [b"M %o inline %b\n" % (_mode(tree, path), quoted), _data(content)]
        stream.append(b"\n")
    stream += [f"get-mark :{mark}\n".encode() for mark in range(1, len(steps) + 1)]
    said = git(
        repo,
        "fast-import",
        "--quiet",
        "--done",
        "--cat-blob-fd=1",
        stdin=b"".join(stream) + b"done\n",
    )
    return said.split()


def _mode(tree: pygit2.Tree, path: str) -> int:
    """That of a file which is there, as a worktree keeps it."""
    try:
        found = tree[path]
    except KeyError:
        return 0o100644
    return found.filemode if isinstance(found, pygit2.Blob) else 0o100644


def _ident(role: str) -> str:
    """As git takes it from the environment; `conftest` sets it."""
    name, email, date = (os.environ[f"GIT_{role}_{what}"] for what in ("NAME", "EMAIL", "DATE"))
    return f"{name} <{email}> {date}"


def _data(content: str | bytes) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return b"data %d\n%b\n" % (len(data), data)


def mbox(repo: Path, revisions: str, *options: str) -> bytes:
    """The range as ``git format-patch --stdout`` writes it."""
    return git(repo, "format-patch", "--stdout", *options, revisions).encode(
        "utf-8", "surrogateescape"
    )


def mails(data: bytes) -> list[bytes]:
    """An mbox cut into its mails."""
    parts = data.split(b"\nFrom ")
    return [part if n == 0 else b"From " + part for n, part in enumerate(parts)]


def lines(*changed: tuple[int, str], count: int = 30) -> str:
    """A file of numbered lines, some of them replaced."""
    table = {number: f"line {number}" for number in range(1, count + 1)}
    table.update(dict(changed))
    return "".join(f"{text}\n" for _, text in sorted(table.items()))


def backport(repo: Path, *words: str) -> Result:
    """Run the command line in this process, on ``repo``."""
    from backport.cli import app

    command, *rest = words
    group = [command, *rest[:1]] if command == "hook" else [command]
    rest = rest[1:] if command == "hook" else rest
    return CliRunner().invoke(app, [*group, "--repo", str(repo), *rest])


def refs(repo: Path) -> str:
    """Every ref and what is checked out, to compare before and after."""
    seen = git(repo, "for-each-ref", "--format=%(refname) %(objectname)")
    return f"{seen}\n{git(repo, 'status', '--porcelain')}"


def environment() -> dict[str, str]:
    """The sealed environment, for processes of our own."""
    return dict(os.environ)


def open_repo(path: Path) -> repository.Repo:
    """A repository, opened in the sealed environment."""
    return repository.open_repo(path, Environment.copied(os.environ))
