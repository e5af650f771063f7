# SPDX-License-Identifier: GPL-2.0-or-later
"""``release``: what is counted, changed, tagged and written; what is refused; and the way back."""

from __future__ import annotations

import email
import email.policy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from backport.errors import UsageError
from backport.release.numbers import ordered, tag_for, version_of
from tests.backport.export.hostile import HOSTILE
from tests.backport.trees import backport, branch_with, commit, git, lines, new_repo, refs

XEN = (
    "export XEN_VERSION       = 4\nexport XEN_SUBVERSION    = 10\n"
    "export XEN_EXTRAVERSION ?= .1-pre$(XEN_VENDORVERSION)\nexport XEN_FULLVERSION = x\n"
)
BUILD = ("--build", "touch made", "--validate", "build")


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``stable-4.10`` with three changes since ``RELEASE-4.10.0``, one of them from ``master``."""
    made = new_repo(
        tmp_path / "repo",
        {"xen/Makefile": XEN, "a.c": lines(), ".gitignore": "made\n"},
        "stable-4.10",
    )
    git(made, "tag", "RELEASE-4.10.0")
    (up,) = branch_with(made, "master", "stable-4.10", ("x86/mm: a fix", {"a.c": lines((3, "x"))}))
    git(made, "cherry-pick", "-x", up)
    commit(
        made,
        {"a.c": lines((3, "x"), (9, "y"))},
        "gnttab: check\n\nThis is XSA-248 / CVE-2017-1234.",
    )
    commit(made, {"a.c": lines((3, "x"), (9, "y"), (20, "z"))}, "no area at all")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1516000100 +0000")
    return made


def release(repo: Path, *words: str, code: int = 0, version: str = "4.10.1") -> dict[str, Any]:
    done = backport(repo, "release", version, "--branch", "stable-4.10", *words, "--json", "-")
    assert done.exit_code == code, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    from tests.backport.report.test_schemas import check

    check("release", found)
    return found


def test_the_branch_says_its_version_and_is_tagged(repo: Path) -> None:
    before = refs(repo)
    found = release(repo)
    assert found["tag"] == "RELEASE-4.10.1"
    assert found["bump"] == ".1"
    assert "XEN_EXTRAVERSION ?= .1$(XEN_VENDORVERSION)\n" in (repo / "xen/Makefile").read_text()
    assert git(repo, "log", "-1", "--format=%s") == "update Xen version to 4.10.1"
    assert git(repo, "cat-file", "-t", "RELEASE-4.10.1") == "tag"
    assert git(repo, "rev-parse", "RELEASE-4.10.1^{}") == git(repo, "rev-parse", "stable-4.10")
    assert git(repo, "status", "--porcelain") == ""
    done = backport(repo, "undo")
    assert done.exit_code == 0, done.output
    assert refs(repo) == before


def test_what_would_be_made_changes_nothing(repo: Path) -> None:
    before = refs(repo)
    done = backport(repo, "release", "4.10.1", "-b", "stable-4.10", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "would be tagged RELEASE-4.10.1; nothing was changed" in done.output
    assert "stable-4.10 since RELEASE-4.10.0: 3 changes, 1 for security" in done.output
    assert refs(repo) == before


def test_what_is_proven_is_counted_and_the_rest_is_proven_by_word(repo: Path) -> None:
    assert release(repo, "--dry-run", *BUILD)["proven"] == 0
    assert release(repo, "--dry-run", "--prove", *BUILD)["proven"] == 3
    assert release(repo, "--dry-run", *BUILD)["proven"] == 3


def test_a_commit_that_fails_is_no_release(repo: Path) -> None:
    before = refs(repo)
    words = (
        "--branch",
        "stable-4.10",
        "--prove",
        "--validate",
        "build",
        "--build",
        "! grep -q y a.c",
    )
    done = backport(repo, "release", "4.10.1", *words)
    assert done.exit_code == 1
    assert "2 of 3 commits failed, first" in done.output
    assert refs(repo) == before


def test_what_is_new_is_told_security_first(repo: Path, tmp_path: Path) -> None:
    out = ("--markdown", str(tmp_path / "n.md"), "--mail", str(tmp_path / "n.eml"))
    found = release(repo, "--upstream", "master", *out)
    assert [one["advisories"] for one in found["changes"]] == [[], ["XSA-248", "CVE-2017-1234"], []]
    assert found["changes"][0]["adapted"] is False
    assert any("nowhere upstream" in debt for debt in found["debts"])
    text = (tmp_path / "n.md").read_text()
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == ["# RELEASE\\-4\\.10\\.1", "## Security", "## x86", "## other"]
    assert "as it is" in text
    assert "upstream" not in text, "what is owed is not announced"
    mail = email.message_from_bytes((tmp_path / "n.eml").read_bytes(), policy=email.policy.default)
    assert mail["Subject"] == "[ANNOUNCE] RELEASE-4.10.1"
    body = mail.get_content()
    assert body.index("XSA-248, CVE-2017-1234: gnttab: check") < body.index("x86:")
    assert max(map(len, body.splitlines())) <= 72


@pytest.mark.parametrize(
    ("words", "version", "why"),
    [
        ((), "4.10.0", "is not above"),
        ((), "4.9.9", "is not above"),
        ((), "next", "is no version"),
        (("--tag", "RELEASE-4.10.0"), "4.10.1", "there is a tag RELEASE-4.10.0 already"),
        (("--since", "nowhere"), "4.10.1", "names no version"),
        (("--since", "master"), "4.10.1", "names no version"),
        ((), "4.11.0", "is no version of 4.10"),
        (("--markdown", "/no/such/folder/x"), "4.10.1", "no such folder"),
    ],
)
def test_what_cannot_be_is_refused(
    repo: Path, words: tuple[str, ...], version: str, why: str
) -> None:
    before = refs(repo)
    done = backport(repo, "release", version, "--branch", "stable-4.10", *words)
    assert done.exit_code == 2
    assert why in done.output
    assert refs(repo) == before


def test_a_line_that_the_user_names(repo: Path) -> None:
    commit(
        repo, {"meson.build": "project('x',\n  version : '252.1',\n  x : 'version : 9')\n"}, "meson"
    )
    git(repo, "config", "backport.versionLine", "meson.build:  version : '{version}',")
    release(repo)
    assert "  version : '4.10.1',\n" in (repo / "meson.build").read_text()
    git(repo, "config", "backport.versionLine", "meson.build: nothing {version}")
    commit(repo, {"a.c": "more\n"}, "more")
    done = backport(repo, "release", "4.10.2", "-b", "stable-4.10")
    assert done.exit_code == 2
    assert "no lines like" in done.output


def test_a_tree_without_a_version_is_tagged_as_it_is(repo: Path) -> None:
    commit(repo, {"xen/Makefile": None}, "no version")
    tip = git(repo, "rev-parse", "stable-4.10")
    found = release(repo)
    assert found["bump"] is None
    assert found["tip"] == tip
    before = git(repo, "rev-parse", "RELEASE-4.10.1^{}")
    assert before == tip
    assert backport(repo, "undo").exit_code == 0
    assert "RELEASE-4.10.1" not in git(repo, "tag")


def test_a_release_that_was_cut_before_its_tag_goes_on(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backport.gateway.repository import Repo

    before = refs(repo)
    with monkeypatch.context() as patch:
        patch.setattr("backport.release.making.tag_object", _killed)
        with pytest.raises(KeyboardInterrupt):
            from backport.release import making
            from backport.report.progress import Reporter
            from tests.backport.trees import open_repo

            found: Repo = open_repo(repo)
            from backport.config import Settings

            with Reporter(validating=False) as progress:
                planned = making.plan(
                    found, Settings(), "stable-4.10", "4.10.1", None, None, progress, prove=False
                )
                making.make(found, Settings(), planned, progress)
    assert "RELEASE-4.10.1" not in git(repo, "tag")
    assert release(repo)["tip"] == git(repo, "rev-parse", "stable-4.10")
    assert git(repo, "log", "--format=%s", "RELEASE-4.10.1").count("update Xen version") == 1
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == before


def test_a_patch_before_a_release_is_no_part_of_it(repo: Path) -> None:
    """`undo` takes back the release alone, and then the patch."""
    commit(repo, {"xen/Makefile": None}, "no version")
    (one,) = branch_with(repo, "topic", "RELEASE-4.10.0", ("more", {"b.c": "b\n"}))
    before = refs(repo)
    done = backport(repo, "apply", "-b", "stable-4.10", one, "--validate", "none")
    assert done.exit_code == 0, done.output
    applied = refs(repo)
    release(repo)
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == applied
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == before


def test_the_tag_is_what_git_makes(repo: Path) -> None:
    commit(repo, {"xen/Makefile": None}, "no version")
    release(repo)
    git(repo, "tag", "-a", "-m", "RELEASE-4.10.1", "of-git", "stable-4.10")
    ours, gits = (git(repo, "cat-file", "-p", name) for name in ("RELEASE-4.10.1", "of-git"))
    assert ours == gits.replace("of-git", "RELEASE-4.10.1")
    git(repo, "fsck", "--strict")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize("switch", ["commit.gpgSign", "tag.gpgSign"])
def test_the_tag_is_signed_if_the_user_signs(repo: Path, tmp_path: Path, switch: str) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "signers").write_text(f"* {(tmp_path / 'key.pub').read_text()}")
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(tmp_path / "signers")),
        (switch, "true"),
    ):
        git(repo, "config", name, value)
    release(repo)
    git(repo, "verify-tag", "RELEASE-4.10.1")
    git(repo, "fsck", "--strict")


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_subjects_stay_text(repo: Path, tmp_path: Path, text: str) -> None:
    commit(repo, {"a.c": "q\n"}, f"{text}\n\nCVE-2020-1111 {text}")
    out = ("--markdown", str(tmp_path / "n.md"), "--mail", str(tmp_path / "n.eml"))
    release(repo, *out)
    for name in ("n.md", "n.eml"):
        made = (tmp_path / name).read_text()
        assert "\x1b" not in made
        assert "\u202e" not in made
    assert "<script>" not in (tmp_path / "n.md").read_text()


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("4.10.0", "4.10.1"),
        ("4.9.9", "4.10"),
        ("4.10.1-rc2", "4.10.1"),
        ("4.10.1-rc2", "4.10.1-rc10"),
        ("252", "252.1"),
    ],
)
def test_versions_are_compared_by_their_numbers(less: str, more: str) -> None:
    assert ordered(less) < ordered(more)
    assert ordered("4.10") == ordered("4.10.0")


def test_names_of_tags() -> None:
    assert version_of("RELEASE-4.10.0") == "4.10.0"
    assert tag_for("252.39", "v252.38") == "v252.39"
    assert tag_for("1.1", "upstream/1.0") == "upstream/1.1"


XEN_TAGS = ["RELEASE-4.9.0", "RELEASE-4.10.0", "4.10.0-shim-comet-3", "4.10.0-rc8", "ia64-stable"]


@pytest.mark.parametrize(
    ("version", "last", "behind", "elsewhere", "name"),
    [
        ("4.10.1", "4.10.0-shim-comet-3", XEN_TAGS, [], "RELEASE-4.10.1"),
        ("4.10.0", "4.10.0-rc8", ["4.10.0-rc8"], XEN_TAGS[:1], "RELEASE-4.10.0"),
        ("4.10.0", "4.10.0-rc8", ["4.9.0-branched", "4.8.0-x"], XEN_TAGS, "RELEASE-4.10.0"),
        ("4.11.0-rc1", "RELEASE-4.10.0", XEN_TAGS, [], "4.11.0-rc1"),
        ("4.10.1-rc1", "RELEASE-4.10.0", ["RELEASE-4.10.0"], [], "RELEASE-4.10.1-rc1"),
        ("254.6", "v254.5", ["v254", "v254.5"], [], "v254.6"),
        ("255", "v254", ["v253", "v254", "stable-1.0"], [], "v255"),
        ("254.1", "v254", ["v253", "v254"], [], "v254.1"),
        # A tree that has changed its names; another project's tags; what is not below it.
        ("2.1", "RELEASE-2.0", ["v1.0", "v1.1", "RELEASE-2.0"], [], "RELEASE-2.1"),
        ("2.1", "v2.0", ["v1.0", "v2.0"], ["other-2.0.9"], "v2.1"),
        ("2.1", "v2.0", ["v2.0", "RELEASE-3.0"], ["RELEASE-2.5"], "v2.1"),
        # Two names of one release.
        ("1.2", "foo-1.1", ["v1.0", "v1.1", "foo-1.1"], [], "v1.2"),
        ("1.2", "v1.1-foo", ["v1.1", "v1.1-foo"], [], "v1.2"),
        ("1.2", "foo-1.1", ["v1.1", "foo-1.1"], [], "foo-1.2"),
    ],
)
def test_a_tag_is_named_as_those_of_the_tree(
    version: str, last: str, behind: list[str], elsewhere: list[str], name: str
) -> None:
    assert tag_for(version, last, behind, [*behind, *elsewhere]) == name


def test_two_forms_that_are_as_good() -> None:
    tags = ["v1.1", "foo-1.1", "first-0.1"]
    with pytest.raises(UsageError, match=r"may be foo-1\.2 and v1\.2"):
        tag_for("1.2", "first-0.1", tags, tags)


def test_the_tags_of_the_tree_name_the_next(repo: Path) -> None:
    git(repo, "tag", "4.10.0-other-3", "stable-4.10~1")
    assert release(repo, "--dry-run")["tag"] == "RELEASE-4.10.1"
    assert release(repo, "--dry-run", "--tag", "mine")["tag"] == "mine"
