# SPDX-License-Identifier: GPL-2.0-or-later
"""The posted series has the shapes that real ones have; without them the sample would prove little."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backport.sample.git import git
from backport.sample.write import SamplePaths, write_sample
from tests.backport.sample_repo import mails, take_series


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamplePaths]:
    yield write_sample(tmp_path_factory.mktemp("shapes") / "sample")


@pytest.fixture(scope="module")
def posted(sample: SamplePaths) -> list[bytes]:
    return mails(sample.series)[1:]


@pytest.fixture(scope="module")
def commits(sample: SamplePaths) -> list[str]:
    return take_series(sample, sample.series)


@pytest.mark.parametrize(
    ("shape", "pattern"),
    [
        ("rename", rb"^rename from xen/arch/x86/domain_build\.c$"),
        ("rename with an edit", rb"^similarity index 9\d%$"),
        ("mode change", rb"^old mode 100644\nnew mode 100755\n"),
        ("executable file", rb"^new file mode 100755$"),
        ("binary file", rb"^GIT binary patch\nliteral \d+$"),
        ("author beyond ASCII", rb"^From: =\?UTF-8\?q\?J=C3=B6rg"),
        ("encoded body", rb"^Content-Transfer-Encoding: 8bit$"),
        ("Reviewed-by", rb"^Reviewed-by: "),
        ("Backport", rb"^Backport: 4\.10\+$"),
        ("Fixes", rb'^Fixes: [0-9a-f]{12} \("'),
        ("Depends-on", rb'^Depends-on: [0-9a-f]{12} \("'),
    ],
)
def test_the_series_holds(posted: list[bytes], shape: str, pattern: bytes) -> None:
    assert any(re.search(pattern, mail, re.MULTILINE) for mail in posted), shape


def first(posted: list[bytes], pattern: bytes) -> int:
    """Number of the first patch that adds or names what matches."""
    return next(n for n, mail in enumerate(posted, 1) if re.search(pattern, mail, re.MULTILINE))


def paths(mail: bytes) -> set[bytes]:
    return set(re.findall(rb"^diff --git a/(\S+) ", mail, re.MULTILINE))


def test_a_file_is_introduced_before_it_is_used(posted: list[bytes]) -> None:
    introduced = first(posted, rb"^\+\+\+ b/xen/arch/x86/guest/hypercall_page\.S$")
    used = first(posted, rb"^\+obj-.*hypercall_page\.o$")
    assert introduced < used


@pytest.mark.parametrize(
    ("what", "introduced", "used"),
    [
        ("an option", rb"^\+config XEN_GUEST$", rb"^\+obj-\$\(CONFIG_XEN_GUEST\)"),
        ("a symbol", rb"^\+int evtchn_bind_virq\(.*port\)", rb"evtchn_bind_virq\(&bind, aside"),
    ],
)
def test_a_dependency_shows_nowhere_in_the_text(
    posted: list[bytes], what: str, introduced: bytes, used: bytes
) -> None:
    earlier, later = first(posted, introduced), first(posted, used)
    assert earlier < later, what
    assert not paths(posted[earlier - 1]) & paths(posted[later - 1]), what


def test_lines_are_reworked_more_than_once(sample: SamplePaths, commits: list[str]) -> None:
    touched = git(
        sample.directory, "log", "--format=%H", f"{sample.base}..{commits[-1]}",
        "--", "xen/arch/x86/pv/shim.c",
    ).split()  # fmt: skip
    assert len(touched) >= 15
    removed = [
        line
        for commit in touched
        for line in git(sample.directory, "show", "--format=", commit.decode()).splitlines()
        if line.startswith(b"-") and not line.startswith(b"---")
    ]
    assert len(removed) >= 30


def test_master_has_patches_of_the_series_as_posted_and_tidied(
    sample: SamplePaths, commits: list[str]
) -> None:
    def ids(revisions: str) -> dict[bytes, bytes]:
        log = git(sample.directory, "log", "-p", "--no-color", revisions)
        pairs = git(sample.directory, "patch-id", "--stable", data=log).splitlines()
        return {commit: patch for patch, commit in (line.split() for line in pairs)}

    def named(revisions: str) -> dict[bytes, bytes]:
        return {
            git(sample.directory, "log", "-1", "--format=%s", commit.decode()).strip(): patch
            for commit, patch in ids(revisions).items()
        }

    upstream = named(f"{sample.base}..{sample.upstream}")
    series = named(f"{commits[0]}..{commits[-1]}")
    common = upstream.keys() & series.keys()
    assert any(upstream[subject] == series[subject] for subject in common)
    assert any(upstream[subject] != series[subject] for subject in common)


def test_the_mode_survives(sample: SamplePaths, commits: list[str]) -> None:
    def mode(commit: str) -> bytes:
        entry = git(sample.directory, "ls-tree", commit, "xen/tools/kconfig.sh")
        return entry.split()[0]

    assert mode(sample.base) == b"100644"
    assert mode(commits[-1]) == b"100755"


def test_nothing_but_what_the_series_says_is_in_the_tree(
    sample: SamplePaths, commits: list[str], tmp_path: Path
) -> None:
    """Every C and assembly file says under which licence it stands."""
    listing = git(sample.directory, "ls-tree", "-r", "--name-only", commits[-1]).decode().split()
    sources = [path for path in listing if path.endswith((".c", ".h", ".S"))]
    assert len(sources) > 50
    for path in sources:
        content = git(sample.directory, "show", f"{commits[-1]}:{path}")
        assert content.startswith(b"/* SPDX-License-Identifier: GPL-2.0-or-later */\n"), path
