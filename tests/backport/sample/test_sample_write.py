# SPDX-License-Identifier: GPL-2.0-or-later
"""The sample comes out whole, the same everywhere, and with what the main job needs to be shown."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from backport.errors import UsageError
from backport.sample.data import VARIANTS
from backport.sample.git import apply_mails, git
from backport.sample.write import SamplePaths, write_sample
from tests.backport.sample_repo import PREREQUISITE, mails, prerequisite, take_series


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SamplePaths:
    """Shared: what checks out something leaves the branches and the mailboxes alone."""
    return write_sample(tmp_path_factory.mktemp("write") / "sample")


def text(sample: SamplePaths, *args: str) -> str:
    return git(sample.directory, *args).decode().strip()


def test_ids_do_not_depend_on_who_writes_it_and_where(
    sample: SamplePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Somebody Else")
    monkeypatch.setenv("GIT_AUTHOR_DATE", "1 +0200")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    other = write_sample(tmp_path / "elsewhere/and/deeper")
    assert (other.base, other.upstream) == (sample.base, sample.upstream)
    for path in sample.posted.iterdir():
        assert path.read_bytes() == (other.posted / path.name).read_bytes()


def test_writing_takes_less_than_two_seconds(tmp_path: Path) -> None:
    before = os.times()
    write_sample(tmp_path / "sample")
    after = os.times()
    assert sum(after[:4]) - sum(before[:4]) < 2


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        write_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["mine"]


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        write_sample(tmp_path / "file")


def test_it_is_ready_for_the_main_job(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "sample")
    assert text(sample, "symbolic-ref", "HEAD") == "refs/heads/stable-4.10"
    assert text(sample, "status", "--porcelain", "--untracked-files=all") == ""
    assert text(sample, "config", "backport.build") == "make -j2 -s"
    assert text(sample, "config", "backport.profile") == "xen-pv-shim-4.10"
    assert text(sample, "config", "backport.upstream") == "master"
    assert text(sample, "config", "backport.prerequisites") == "take"
    assert sample.directory / text(sample, "config", "backport.series") == sample.series
    assert sample.series.exists()


def test_stable_names_the_master_commits_that_it_took(sample: SamplePaths) -> None:
    log = text(sample, "log", "--format=%B", "RELEASE-4.10.0..stable-4.10")
    named = re.findall(r"^master commit: ([0-9a-f]{40})$", log, re.MULTILINE)
    on_master = text(sample, "rev-list", "RELEASE-4.10.0..master").split()
    assert len(named) == 2
    assert set(named) <= set(on_master)


def test_the_cover_letter_names_the_base(sample: SamplePaths) -> None:
    cover = mails(sample.series)[0].decode()
    assert f"\nbase-commit: {sample.base}\n" in cover
    assert "Subject: [PATCH v2 00/55] " in cover


def test_every_patch_answers_to_the_cover_letter(sample: SamplePaths) -> None:
    cover, *patches = mails(sample.series)
    root = re.search(rb"^Message-ID: (<.*>)$", cover, re.MULTILINE)
    assert root is not None
    assert len(patches) == 55
    for number, mail in enumerate(patches, 1):
        assert b"\nIn-Reply-To: " + root[1] + b"\n" in mail
        assert b"[PATCH v2 %02d/55] " % number in mail
        assert re.search(rb"^(index [0-9a-f]{12}\.\.[0-9a-f]{12}|old mode )", mail, re.MULTILINE)
    assert len({re.search(rb"Message-ID: .*", mail)[0] for mail in patches}) == 55  # type: ignore[index]  # all have one


def test_the_series_stops_without_its_prerequisite(sample: SamplePaths) -> None:
    assert PREREQUISITE not in git(sample.directory, "log", "--format=%s", sample.base)
    git(sample.directory, "checkout", "-q", "-f", "--detach", sample.base)
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        apply_mails(sample.directory, b"".join(mails(sample.series)[1:]))
    assert b"event_channel: let others allocate a port that they name" in stopped.value.stdout
    missing = git(sample.directory, "am", "--show-current-patch=diff")
    git(sample.directory, "am", "--abort")
    # What is missing stands on master, in the commit that is to be found.
    line = b"static int evtchn_allocate_port(struct domain *d, evtchn_port_t port)"
    assert b"\n-" + line in missing
    assert b"\n+" + line in git(sample.directory, "show", prerequisite(sample))


@pytest.mark.parametrize("name", ["shim-v2", *VARIANTS])
def test_every_series_applies_and_names_the_blobs_it_makes(sample: SamplePaths, name: str) -> None:
    mailbox = sample.posted / f"{name}.mbox"
    commits = take_series(sample, mailbox)
    assert len(commits) == 56
    blobs = re.findall(rb"^index ([0-9a-f]+)\.\.([0-9a-f]+)", mailbox.read_bytes(), re.MULTILINE)
    names = sorted({oid for pair in blobs for oid in pair if oid.strip(b"0")})
    answer = git(sample.directory, "cat-file", "--batch-check", data=b"\n".join(names))
    assert b"missing" not in answer
    assert answer.count(b" blob ") == len(names)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_differs_in_its_own_patch_only(sample: SamplePaths, name: str) -> None:
    def gist(mail: bytes) -> bytes:
        diff = mail.split(b"\n---\n", 1)[-1]
        lines = [x for x in diff.split(b"\n") if not x.startswith((b"@@ ", b"index "))]
        return b"\n".join(lines)

    good = [gist(mail) for mail in mails(sample.series)]
    bad = [gist(mail) for mail in mails(sample.variants[name])]
    differing = [i for i, (a, b) in enumerate(zip(good, bad, strict=True)) if a != b]
    assert len(differing) == (2 if name == "build-break" else 1)


def test_shuffled_holds_the_same_mails_in_another_order(sample: SamplePaths) -> None:
    posted, mixed = mails(sample.series), mails(sample.variants["shuffled"])
    assert sorted(posted) == sorted(mixed)
    assert posted != mixed
    assert mixed[0] != posted[0]


def test_missing_cover_lacks_nothing_else(sample: SamplePaths) -> None:
    assert mails(sample.variants["missing-cover"]) == mails(sample.series)[1:]


def test_the_thread_holds_both_versions_and_the_replies(sample: SamplePaths) -> None:
    thread = mails(sample.variants["thread"])
    assert set(mails(sample.series)) <= set(thread)
    subjects = [re.search(rb"^Subject: (.*)$", mail, re.MULTILINE)[1] for mail in thread]  # type: ignore[index]  # all have one
    assert sum(subject.startswith(b"Re: ") for subject in subjects) == 4
    assert sum(b"[PATCH v2 " in subject for subject in subjects) == 58
    assert b"[PATCH 12/12] console: print through L0" in subjects
