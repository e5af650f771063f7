# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user has set for git: signatures, encodings, hooks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.backport.killer import killed_at
from tests.backport.trees import (
    backport,
    commit,
    git,
    lines,
    mbox,
    refs,
    two_files,
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return two_files(
        tmp_path / "repo",
        ("one", {"a.c": lines((5, "five"))}),
        ("two", {"b.c": lines((5, "five"))}),
    )


WORDS = ("apply", "--branch", "stable", "--series", "stable..topic", "--validate", "none")


HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "prepare-commit-msg"),
    *("commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite"),
    *("post-index-change", "reference-transaction"),
)


def ssh_key(folder: Path) -> Path:
    key = folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "m", "-f", str(key)], check=True
    )
    public = key.with_suffix(".pub").read_text()
    (folder / "allowed").write_text(f"maintainer@example.org {public}")
    return key


def sign_with_ssh(repo: Path, folder: Path) -> None:
    key = ssh_key(folder)
    for name, value in (
        ("commit.gpgSign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(folder / "allowed")),
    ):
        git(repo, "config", name, value)


def signatures(repo: Path, revisions: str) -> str:
    return git(repo, "log", "--format=%G? %s", revisions)


def test_signed_by_ssh(repo: Path, tmp_path: Path) -> None:
    sign_with_ssh(repo, tmp_path)
    start = git(repo, "rev-parse", "stable")
    done = backport(repo, *WORDS, "--json", str(tmp_path / "o.json"))
    assert done.exit_code == 0, done.output
    assert "signed: 2" in done.output
    assert signatures(repo, f"{start}..stable") == "G two\nG one"
    result = json.loads((tmp_path / "o.json").read_text())
    assert result["tip"] == git(repo, "rev-parse", "stable")
    assert [s["commit"] for s in result["steps"]] == git(
        repo, "rev-list", "--reverse", f"{start}..stable"
    ).split("\n")
    git(repo, "fsck", "--strict", "--no-dangling")


def test_signed_by_a_key_that_an_agent_holds(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``user.signingKey`` is the key itself."""
    sign_with_ssh(repo, tmp_path)
    socket = str(tmp_path / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not Path(socket).exists():
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        subprocess.run(["ssh-add", "-q", str(tmp_path / "key")], check=True)
        git(repo, "config", "user.signingKey", (tmp_path / "key.pub").read_text().strip())
        (tmp_path / "key").unlink()
        done = backport(repo, *WORDS)
        assert done.exit_code == 0, done.output
        assert signatures(repo, "stable~2..stable") == "G two\nG one"
    finally:
        agent.terminate()
        agent.wait()


def test_signed_by_gpg(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    words = ["--batch", "--passphrase", "", "--quick-gen-key"]
    who = "A Maintainer <maintainer@example.org>"
    subprocess.run(
        ["gpg", *words, who, "ed25519", "sign", "never"], check=True, capture_output=True
    )
    git(repo, "config", "commit.gpgsign", "true")
    try:
        done = backport(repo, *WORDS)
        assert done.exit_code == 0, done.output
        assert [line[0] for line in signatures(repo, "stable~2..stable").split("\n")] == ["G", "G"]
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)


@pytest.mark.skipif(shutil.which("gpgsm") is None, reason="gpgsm is not installed")
def test_signed_by_x509(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that signs itself, trusted as its owner would trust it."""
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    wanted = (
        "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign\nSerial: random\n"
        "Name-DN: CN=A Maintainer\nName-Email: maintainer@example.org\n"
    )
    (tmp_path / "wanted").write_text(wanted)
    gpgsm = ["gpgsm", "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    try:
        made = subprocess.run(
            [*gpgsm, "--gen-key", str(tmp_path / "wanted")], capture_output=True, check=True
        )
        subprocess.run(["gpgsm", "--import"], input=made.stdout, check=True)
        listed = subprocess.run(
            ["gpgsm", "--with-colons", "-k"], capture_output=True, text=True, check=True
        )
        print_of = next(line for line in listed.stdout.splitlines() if line.startswith("fpr"))
        name = print_of.split(":")[9]
        (home / "trustlist.txt").write_text(f"{name} S relax\n")
        (home / "gpgsm.conf").write_text("disable-crl-checks\n")
        git(repo, "config", "commit.gpgSign", "true")
        git(repo, "config", "gpg.format", "x509")
        git(repo, "config", "user.signingKey", name)
        done = backport(repo, *WORDS)
        assert done.exit_code == 0, done.output
        assert signatures(repo, "stable~2..stable") == "G two\nG one"
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)


@pytest.mark.parametrize("kind", ["openpgp", "ssh", "x509"])
def test_a_key_that_does_not_sign_changes_nothing(repo: Path, kind: str, tmp_path: Path) -> None:
    git(repo, "config", "commit.gpgSign", "true")
    git(repo, "config", "gpg.format", kind)
    git(repo, "config", "user.signingKey", str(tmp_path / "none"))
    before = git(repo, "rev-parse", "stable")
    done = backport(repo, *WORDS)
    assert done.exit_code == 2, done.output
    assert "commit 1 of 2, 'one', could not be signed; stable was not moved" in done.output
    assert git(repo, "rev-parse", "stable") == before
    assert git(repo, "status", "--porcelain") == ""
    git(repo, "config", "commit.gpgSign", "false")
    again = backport(repo, "continue")
    assert again.exit_code == 0, again.output
    assert git(repo, "log", "-2", "--format=%s", "stable") == "two\none"


def test_killed_anywhere_the_signed_ids_are_those_of_the_journal(
    repo: Path, tmp_path: Path
) -> None:
    """A signature of gpg holds the second: here the program puts a new number into each."""
    program = tmp_path / "signer"
    program.write_text(
        "#!/bin/sh\ncat >/dev/null\nn=$(cat $0.n 2>/dev/null || echo 0); n=$((n+1)); echo $n >$0.n\n"
        'echo "[GNUPG:] SIG_CREATED x" >&2\nprintf -- "-----BEGIN\\n%s\\n-----END\\n" $n\n'
    )
    program.chmod(0o755)
    git(repo, "config", "commit.gpgSign", "true")
    git(repo, "config", "gpg.program", str(program))
    count = tmp_path / "signer.n"
    start = git(repo, "rev-parse", "stable")
    arguments = [WORDS[0], "--repo", str(repo), *WORDS[1:]]
    for _ in range(2):  # the others find the note for `undo` that the first run makes
        count.unlink(missing_ok=True)
        git(repo, "reset", "-q", "--hard", start)
        done = killed_at(0, arguments)
        assert done.returncode == 0, done.stderr
    acts = int(done.stdout.split("acts ")[1])
    journal = repo / ".git/backport/run/state.json"
    pinned = 0
    for act in range(acts - 7, acts + 1):
        git(repo, "reset", "-q", "--hard", start)
        count.unlink(missing_ok=True)
        cut = killed_at(act, arguments)
        assert cut.returncode == -signal.SIGKILL, cut.stderr
        known = json.loads(journal.read_text())["signed"] if journal.exists() else []
        if journal.exists():
            again = backport(repo, "continue")
            assert again.exit_code == 0, again.output
        if known:
            pinned += 1
            assert git(repo, "rev-list", "--reverse", f"{start}..stable").split("\n") == known
            assert count.read_text() == "2\n", "signed once"
        assert git(repo, "log", "-2", "--format=%s", "stable") == "two\none"
        assert git(repo, "cat-file", "commit", "stable").count("gpgsig") == 1
    assert pinned


def test_the_encoding_of_commits(repo: Path, tmp_path: Path) -> None:
    git(repo, "config", "i18n.commitEncoding", "ISO-8859-1")
    git(repo, "-c", "i18n.commitEncoding=UTF-8", "checkout", "-q", "-b", "work", "topic")
    (repo / "a.c").write_text(lines((7, "sieben")))
    env = {**os.environ, "GIT_AUTHOR_NAME": "Jürgen Groß"}
    subprocess.run(
        ["git", "-C", str(repo), "-c", "i18n.commitEncoding=UTF-8", "commit", "-qam", "grün"],
        env=env,
        check=True,
    )
    git(repo, "checkout", "-q", "stable")
    box = tmp_path / "s.mbox"
    box.write_bytes(mbox(repo, "topic..work"))
    git(repo, "merge", "-q", "topic")
    git(repo, "checkout", "-q", "-b", "am", "stable")
    git(repo, "am", "-q", str(box))
    git(repo, "checkout", "-q", "stable")
    done = backport(repo, "apply", "--branch", "stable", "--series", str(box))
    assert done.exit_code == 0, done.output
    ours, theirs = (git(repo, "cat-file", "commit", name) for name in ("stable", "am"))
    assert "encoding ISO-8859-1" in ours
    assert ours == theirs


def test_a_letter_without_a_place_in_the_encoding_stays_right(repo: Path) -> None:
    git(repo, "config", "i18n.commitEncoding", "ISO-8859-1")
    git(repo, "checkout", "-q", "topic")
    message = "yen or won: ₩"
    (repo / "b.c").write_text(lines((5, "five"), (6, "six")))
    git(repo, "-c", "i18n.commitEncoding=UTF-8", "commit", "-qam", message)
    git(repo, "checkout", "-q", "stable")
    assert backport(repo, *WORDS).exit_code == 0
    assert git(repo, "log", "-1", "--format=%s", "--encoding=UTF-8", "stable") == message


def test_an_unknown_encoding_changes_nothing(repo: Path) -> None:
    git(repo, "config", "i18n.commitEncoding", "klingon-8")
    before = refs(repo)
    done = backport(repo, *WORDS)
    assert done.exit_code == 2
    assert "i18n.commitEncoding" in done.output
    assert refs(repo) == before


def test_no_hook_of_the_users_runs_on_its_own(repo: Path, tmp_path: Path) -> None:
    """As docs/git.md has it; those of what he does himself in the conflict run."""
    hooks, ran = tmp_path / "hooks", tmp_path / "ran"
    hooks.mkdir()
    for name in HOOKS:
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        hook.chmod(0o755)
    commit(repo, {"b.c": lines((5, "ours"))}, "ours")
    git(repo, "checkout", "-q", "--detach")
    git(repo, "config", "core.hooksPath", str(hooks))
    assert backport(repo, *WORDS).exit_code == 3
    folder = repo / ".git/backport/conflict"
    assert not ran.exists(), ran.read_text()
    git(folder, "checkout", "-q", "--theirs", "b.c")
    git(folder, "add", "b.c")
    git(folder, "-c", "core.editor=true", "commit", "-q")
    assert "pre-commit" in ran.read_text()
    ran.unlink()
    done = backport(repo, "continue")
    assert done.exit_code == 0, done.output
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize("name", ["GIT_INDEX_FILE", "GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX"])
def test_what_a_hook_or_a_rebase_leaves_in_the_environment(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It sends no git of ours elsewhere, nor takes away the index that is made for the move."""
    monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    done = backport(repo, "apply", "--branch", "stable", "--series", "stable..topic")
    monkeypatch.delenv(name)
    assert done.exit_code == 0, done.output
    assert git(repo, "status", "--porcelain") == ""
    assert git(repo, "rev-parse", "stable^{tree}") == git(repo, "rev-parse", "topic^{tree}")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", "  ", "<>", "\n"])
def test_a_committer_without_a_name_is_refused(
    repo: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_NAME", name)
    done = backport(repo, "apply", "--branch", "stable", "--series", "stable..topic")
    assert done.exit_code == 2, done.output
    assert "who you are" in " ".join(done.output.split())
    assert "no run in progress" in backport(repo, "status").output


@pytest.mark.parametrize("zone", ["-0000", "+9959", "-0030"])
def test_the_committers_zone_is_as_given(
    repo: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Also where the run was continued."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"1516000000 {zone}")
    series = ("--branch", "stable", "--series", "stable..topic")
    assert backport(repo, "apply", *series, "--to", "made").exit_code == 0
    lock = repo / ".git/refs/heads/stable.lock"
    lock.write_text("")
    assert backport(repo, "apply", *series).exit_code == 2
    lock.unlink()
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1517000000 +0000")
    assert backport(repo, "continue").exit_code == 0
    assert git(repo, "rev-parse", "stable") == git(repo, "rev-parse", "made")
    assert (
        f"> 1516000000 {zone}\n"
        in git(repo, "cat-file", "commit", "stable").partition("\n\n")[0] + "\n"
    )
