# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the sample: a repository with its two branches, and the mailboxes that were posted for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from backport.errors import UsageError
from backport.sample.data import VARIANTS, patches, release_files, variant
from backport.sample.git import apply_mails, git
from backport.sample.mailbox import post, post_first, shuffled, thread

STABLE = "stable-4.10"
UPSTREAM = "master"
RELEASE = "RELEASE-4.10.0"

_RELEASE_COMMIT = b"""\
commit refs/heads/%s
author Ada Holt <ada.holt@example.org> 1513166400 +0000
committer Ada Holt <ada.holt@example.org> 1513166400 +0000
data <<END
Import of the 4.10 release

Signed-off-by: Ada Holt <ada.holt@example.org>
END
"""

_CONFIG = {
    "backport.build": "make -j2 -s",
    "backport.profile": "xen-pv-shim-4.10",
    "backport.upstream": UPSTREAM,
    "backport.series": "posted/shim-v2.mbox",
    "backport.prerequisites": "take",
}


class SamplePaths(Struct, frozen=True):
    """Where everything lies after `write_sample`."""

    directory: Path
    posted: Path
    """The folder of mailboxes; git ignores it."""
    series: Path
    """The good series, version 2."""
    variants: dict[str, Path]
    """The series with something wrong in it, by name; also ``missing-cover``, ``shuffled``, ``thread``."""
    base: str
    """Commit id of ``stable-4.10``."""
    upstream: str
    """Commit id of ``master``."""


def write_sample(directory: Path) -> SamplePaths:
    """Make ``directory``, which must not exist or be empty, the sample repository.

    The commit ids are the same on every machine.  Takes about half a second, nearly all of it in
    git.  Raises UsageError where there is something already.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(
            f"{directory} is not empty: the sample needs a directory of its own",
            "name one that does not exist",
        )
    directory.mkdir(parents=True, exist_ok=True)
    _write_branches(directory)
    base = _commit(directory, STABLE)
    posted = directory / "posted"
    posted.mkdir()
    written = {}
    for name, content in _mailboxes(base):
        written[name] = posted / f"{name}.mbox"
        written[name].write_bytes(content)
    with (directory / ".git/info/exclude").open("a", encoding="utf-8") as exclude:
        exclude.write("/posted/\n")
    series = written.pop("shim-v2")
    return SamplePaths(directory, posted, series, written, base, _commit(directory, UPSTREAM))


def _write_branches(directory: Path) -> None:
    git(directory, "init", "-q", "-b", STABLE)
    with (directory / ".git/config").open("a", encoding="utf-8") as config:
        config.write("[backport]\n")
        for key, value in _CONFIG.items():
            config.write(f"\t{key.removeprefix('backport.')} = {value}\n")
    git(directory, "fast-import", "--quiet", data=b"".join(_release_stream()))
    git(directory, "tag", RELEASE, STABLE)
    git(directory, "checkout", "-q", "-b", UPSTREAM, STABLE)
    apply_mails(directory, b"".join(patches("master").values()))
    git(directory, "checkout", "-q", STABLE)
    apply_mails(directory, b"".join(patches("stable").values()))


def _release_stream() -> Iterator[bytes]:
    """The release as ``git fast-import`` reads it."""
    yield _RELEASE_COMMIT % STABLE.encode()
    for path, content in release_files():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)


def _mailboxes(base: str) -> Iterator[tuple[str, bytes]]:
    good = patches("posted")
    posting = post(good, base)
    yield "shim-v2", posting.joined()
    yield "missing-cover", b"".join(posting.mails)
    yield "shuffled", shuffled(posting)
    yield "thread", thread(post_first(good, 12), posting)
    for name in VARIANTS:
        yield name, post(variant(name), base).joined()


def _commit(directory: Path, ref: str) -> str:
    return git(directory, "rev-parse", "--verify", ref + "^{commit}").decode().strip()
