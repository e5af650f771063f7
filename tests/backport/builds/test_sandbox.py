# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build reaches from inside its sandbox: asked by a build, of real files, sockets and processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backport.builds import sandbox
from backport.builds.named_files import named_files
from backport.builds.sandbox import unusable
from tests.backport.trees import backport, git, new_repo

pytestmark = pytest.mark.skipif(bool(unusable()), reason="no usable bubblewrap; the run says so")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return new_repo(tmp_path / "repo", {"a.c": "int a;\n"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of our own, outside of /tmp's rule as far as the files in it go."""
    found = tmp_path / "home"
    found.mkdir()
    monkeypatch.setenv("HOME", str(found))
    # All of it is in sight but for what is hidden: as a home is that does not lie in /tmp.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "backport.readable")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(found))
    return found


def built(repo: Path, script: str, *more: str) -> dict[str, str]:
    """What a build of ``script`` has left, by name, of the files named ``saw-*``."""
    words = ("check", "--commit", "HEAD", "--validate", "build", "--build", script, *more)
    done = backport(repo, *words)
    assert done.exit_code == 0, done.output
    folder = repo / ".git/backport/build"
    return {path.name: path.read_text().strip() for path in folder.glob("saw-*")}


@pytest.mark.parametrize("file", [".gitconfig", ".config/git/config"])
def test_git_runs_in_a_build_and_sees_no_secret(
    repo: Path, home: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    settings = '[user]\n\tname = "A \\"B\\" C"\n[safe]\n\tdirectory = /x\n\tdirectory = *\n'
    (home / file).write_text(f'{settings}[url "https://me:token@host/"]\n\tinsteadOf = host:\n')
    (home / ".npmrc").write_text("token\n")
    saw = built(
        repo,
        "git rev-parse HEAD > saw-head; git config user.name > saw-name; git config --list > saw-all;"
        " git config --get-all safe.directory > saw-safe; cat ~/.npm* > saw-npmrc",
    )
    assert saw["saw-head"] == git(repo, "rev-parse", "HEAD")
    assert (saw["saw-name"], saw["saw-safe"]) == ('A "B" C', "/x\n*")
    assert "token" not in saw["saw-all"]
    assert saw["saw-npmrc"] == ""


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        (".gitconfig", "dotfiles/.gitconfig"),
        (".gitconfig", ".dotfiles/.gitconfig"),
        (".config", "dotfiles/config"),
        (".config/git", "dotfiles/git"),
        ("", ""),
    ],
)
def test_git_settings_are_found_through_links(
    repo: Path, home: Path, monkeypatch: pytest.MonkeyPatch, link: str, leads_to: str
) -> None:
    """A manager of dotfiles keeps them in a folder of its own."""
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    if not link:  # the home itself is one
        monkeypatch.setenv("HOME", str(home.with_name("linked")))
        home.with_name("linked").symlink_to(home)
        link, leads_to = ".gitconfig", "dotfiles/.gitconfig"
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    place = home / leads_to
    (home / link).parent.mkdir(exist_ok=True)
    file = place / {".config": "git/config", ".config/git": "config"}.get(link, "")
    file.parent.mkdir(parents=True)
    file.write_text("[user]\n\tname = A B\n[alias]\n\tx = token\n")
    (home / link).symlink_to(place)
    saw = built(repo, "git config user.name > saw-name; git config --list > saw-all")
    assert saw["saw-name"] == "A B"
    assert "token" not in saw["saw-all"]


def test_a_build_has_no_capability(repo: Path) -> None:
    saw = built(repo, "grep -e Cap -e NoNew /proc/self/status > saw-caps")["saw-caps"]
    assert "NoNewPrivs:\t1" in saw  # what is in the bounding set cannot be had by exec(2), then
    found = {line.split()[0]: int(line.split()[1], 16) for line in saw.splitlines()}
    assert {found[f"Cap{kind}:"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {0}


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -o remount,rw /",
        "mount -o remount,rw,bind /usr",
        "umount -l /tmp",
        "mount -t tmpfs none .",
        "nsenter -t 1 -m -n true",
        "mknod ./device b 7 0",
        "chroot / true",
        "hostname other",
        # Opened for appending and nothing written: where this goes wrong, nothing has happened.
        "sh -c ': >> /proc/sys/kernel/core_pattern'",
        "sh -c ': >> /proc/sysrq-trigger'",
        "sh -c ': >> /etc/passwd'",
        # The folder is empty on every Debian, and not named: what a command names is read for its verdict.
        "sh -c 'cd / && rmdir srv'",
        "sh -c ': >> /sys/kernel/mm/ksm/run'",
        "kill -0 {outside}",
    ],
)
def test_a_build_does_not_get_out(repo: Path, attempt: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as outside:
        # 4194304 is above every process id: the one outside is asked for by its own.
        words = attempt.format(outside=outside.pid)
        saw = built(repo, f"{words} 2> said && echo out > saw-it; true")
        outside.kill()
    assert saw == {}


KEYCTL = 250 if os.uname().machine == "x86_64" else 219


def test_the_kernel_s_keyrings_are_out_of_reach(repo: Path) -> None:
    """Which one is the session's (KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING) is no question there."""
    ask = f"import ctypes; print(ctypes.CDLL(None).syscall({KEYCTL}, 0, -3, 1))"
    there = [sys.executable, "-I", "-S", "-c", ask]
    if int(subprocess.run(there, capture_output=True, check=True).stdout) < 0:
        pytest.skip("this machine has no keyrings, outside of the sandbox either")
    script = f'{sys.executable} -I -S -c "{ask}" > saw-key'
    assert built(repo, script) == {"saw-key": "-1"}


@pytest.fixture
def listening(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    monkeypatch.chdir(home)
    places = [tmp_path / "agent.sock", home / "open" / "agent.sock", home / ".agent" / "sock"]
    found = []
    for place in places:
        place.parent.mkdir(exist_ok=True)
        one = socket.socket(socket.AF_UNIX)
        one.bind(str(place))
        one.listen()
        found.append(one)
    relative = socket.socket(socket.AF_UNIX)
    relative.bind("relative.sock")
    relative.listen()
    found.append(relative)
    yield [*places, home / "relative.sock"]
    for one in found:
        one.close()


def test_no_socket_is_reached(repo: Path, listening: list[Path]) -> None:
    """In /tmp, in the open part of a home, and in a hidden one, as tmux, ssh-agent and docker listen; and
    one that was bound by a relative name."""
    ask = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    for number, place in enumerate(listening):
        there = [sys.executable, "-I", "-S", "-c", ask, str(place)]
        assert subprocess.run(there, check=False).returncode == 0
        script = f'{sys.executable} -I -S -c "{ask}" {place}'
        assert built(repo, f"{script} 2> said-{number} && touch saw-it; true") == {}


@pytest.mark.parametrize(
    "name", [".rustup/toolchains/x", ".asdf/installs/x", ".local/share/mise/x", ".local/lib/x"]
)
def test_what_programs_look_for_by_a_rule_of_their_own_stays(
    repo: Path, home: Path, name: str
) -> None:
    tool = home / name
    tool.parent.mkdir(parents=True)
    tool.write_text("needed\n")
    assert built(repo, "grep -rh needed ~/.[a-z]* > saw-it") == {"saw-it": "needed"}


@pytest.mark.parametrize(
    "name", [".ssh/id_ed25519", ".gnupg/secring.gpg", ".netrc", ".config/gh/hosts.yml", ".aws/x"]
)
def test_keys_and_configuration_are_out_of_sight(repo: Path, home: Path, name: str) -> None:
    secret = home / name
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("secret\n")
    assert built(repo, "grep -rs secret ~ ~/.[a-z]* > saw-secret; true") == {"saw-secret": ""}


def test_what_a_build_needs_stays(
    repo: Path, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = home / ".local/share/pipx/venvs/tool/bin/tool"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\ncat $(dirname $(readlink -f $0))/../lib/words\n")
    tool.chmod(0o755)
    (tool.parent.parent / "lib").mkdir()
    (tool.parent.parent / "lib/words").write_text("tool runs\n")
    (home / ".local/bin").mkdir(parents=True)
    (home / ".local/bin/tool").symlink_to(tool)
    (home / ".cache/ccache").mkdir(parents=True)
    (home / ".cache/ccache/kept").write_text("kept\n")
    other = tmp_path / "toolchain/bin"
    other.mkdir(parents=True)
    (other / "other").write_text("#!/bin/sh\necho other runs\n")
    (other / "other").chmod(0o755)
    for place in (home / ".toolbox", tmp_path / "named"):  # as ~/.pyenv and ~/.cargo are made
        (place / "bin").mkdir(parents=True)
        (place / "lib").mkdir()
        (place / "lib/words").write_text(f"{place.name} runs\n")
        program = place / "bin" / place.name.strip(".")
        program.write_text("#!/bin/sh\ncat $(dirname $(readlink -f $0))/../lib/words\n")
        program.chmod(0o755)
    configured = tmp_path / "my.config"
    configured.write_text("CONFIG=y\n")
    # Where the suite itself lies below /tmp, its own programs would be shown there, too.
    system = (one for one in os.environ["PATH"].split(":") if not one.startswith("/tmp/"))
    monkeypatch.setenv(
        "PATH", ":".join((f"{home}/.local/bin:{home}/.toolbox/bin:{other}", *system))
    )
    saw = built(
        repo,
        f"tool > saw-1; other > saw-2; cat ~/.cache/ccache/kept > saw-3; cat {configured} > saw-4;"
        " git rev-parse --verify HEAD > saw-5 ; git show HEAD:a.c > saw-6; ls /tmp | wc -l > saw-7;"
        f" toolbox > saw-8; {tmp_path}/named/bin/named > saw-9",
    )
    assert saw["saw-1"] == "tool runs"
    assert saw["saw-2"] == "other runs"
    assert saw["saw-3"] == "kept"
    assert saw["saw-4"] == "CONFIG=y"
    assert len(saw["saw-5"]) == 40
    assert saw["saw-6"] == "int a;"
    assert saw["saw-8"] == ".toolbox runs"
    assert saw["saw-9"] == "named runs"
    assert saw["saw-7"] == "1"  # pytest's folder, and nothing of anybody else's


def test_secrets_and_agents_are_not_passed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"CC": "gcc", "CROSS_COMPILE": "arm-", "MAKEFLAGS": "k", "XEN_TARGET_ARCH": "x86_64"}
    kept |= {
        "KBUILD_OUTPUT": "/x",
        "AUTHOR": "A",
        "PASSES": "3",
        "https_proxy": "http://proxy:3128",
    }
    secret = {
        "GITHUB_TOKEN": "t",
        "AWS_SECRET_ACCESS_KEY": "k",
        "DB_PASSWORD": "p",
        "SSH_AUTH_SOCK": "/s",
        "DBUS_SESSION_BUS_ADDRESS": "unix:/x",
        "HTTP_PROXY": "http://me:word@proxy:3128",
        "INNOCENT": "ghp_" + "0123456789" * 4,
    }
    for name, value in {**kept, **secret}.items():
        monkeypatch.setenv(name, value)
    script = "env > saw-env"
    words = ("check", "--commit", "HEAD", "--validate", "build", "--build", script)
    assert backport(repo, *words).exit_code == 0
    lines = (repo / ".git/backport/build/saw-env").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines}
    assert kept.keys() <= names
    assert not secret.keys() & names


def test_a_variable_that_the_user_names_is_passed(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGN_TOKEN", "t")
    subprocess.run(["git", "-C", repo, "config", "backport.passenv", "SIGN_TOKEN"], check=True)
    assert built(repo, "echo $SIGN_TOKEN > saw-it") == {"saw-it": "t"}


def test_what_is_not_passed_is_said_once(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGN_TOKEN", "t")
    words = ("check", "--range", "HEAD^..HEAD", "--validate", "build", "--build", "true")
    subprocess.run(["git", "-C", repo, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    done = backport(repo, *words)
    assert done.output.count("not passed to builds: ") == 1
    assert "SIGN_TOKEN" in done.output


def test_where_no_sandbox_can_be_had_it_is_said_or_refused(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backport.builds import sandbox

    monkeypatch.setattr(sandbox, "which", lambda name: None)
    sandbox._usable.cache_clear()
    try:
        words = ("check", "--range", "HEAD^..HEAD", "--validate", "build", "--build", "touch ran")
        subprocess.run(["git", "-C", repo, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
        done = backport(repo, *words, "--sandbox", "required")
        assert done.exit_code == 2
        assert "bubblewrap is not installed" in done.output
        assert not (repo / ".git/backport/build/ran").exists()
        done = backport(repo, *words)
        assert done.exit_code == 0
        assert "builds run without a sandbox: bubblewrap is not installed" in done.output
    finally:
        sandbox._usable.cache_clear()


def test_two_ports_of_the_machine_are_not_there(repo: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        ask = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        assert built(repo, f'{sys.executable} -I -S -c "{ask}" 2> said && touch saw-it; true') == {}


@pytest.mark.parametrize("kind", ["smudge", "process"])
def test_a_filter_runs_where_builds_do(tmp_path: Path, kind: str) -> None:
    """The tree's .gitattributes choose among the user's filters, and feed them."""
    files = {".gitattributes": "a.c filter=own\n", "a.c": "int a;\n"}
    repo = new_repo(tmp_path / "repo", files)
    outside = tmp_path / "outside"
    # What a filter is fed may make it run anything: here it does at once.
    script = f"(touch {outside}; tr a b; echo // %f; grep CapEff /proc/self/status)"
    if kind == "process":
        script = f"touch {outside}; exit 1"  # who waits for input here waits for ever
    subprocess.run(["git", "-C", repo, "config", f"filter.own.{kind}", script], check=True)
    words = ("check", "--commit", "HEAD", "--validate", "build", "--build", "cp a.c saw-it")
    done = backport(repo, *words)
    assert not outside.exists()
    if kind == "smudge":  # as a process it does not speak git's protocol: git gives up
        assert done.exit_code == 0, done.output
        saw = (repo / ".git/backport/build/saw-it").read_text()
        assert saw.splitlines()[:2] == ["int b;", "// a.c"]
        assert saw.split()[-1] == "0" * 16


def test_files_that_a_command_names(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "r/build"
    folder.mkdir(parents=True)
    home.mkdir()
    for path in (home / "a.config", tmp_path / "b", tmp_path / "r/c"):
        path.touch()
    command = f"cp ~/a.config .config && make CONF={tmp_path}/b ../c $HOME/none >/dev/null /"
    found = named_files(command, folder, {"HOME": str(home)})
    assert found == (home / "a.config", tmp_path / "b", tmp_path / "r/c")


def test_a_file_in_shared_memory_is_a_file_like_another(tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as there:
        command = f"cp {there.name} .config && make </dev/null >/dev/stdout"
        assert named_files(command, tmp_path, {}) == (Path(there.name),)


def test_an_attempt_that_is_interrupted_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bwrap's child waits for ever where its parent alone is killed."""
    said = tmp_path / "child"
    fake = tmp_path / "bwrap"
    fake.write_text(
        f"#!/bin/sh\nsleep 300 2>/dev/null & echo $! > {said}.new\nmv {said}.new {said}\nwait\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def when_it_runs() -> None:
        give_up = time.monotonic() + 30
        while not said.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    waiting = threading.Thread(target=when_it_runs)
    try:
        waiting.start()
        with pytest.raises(KeyboardInterrupt):
            sandbox._tried(("bwrap",))
    finally:
        waiting.join()
        signal.signal(signal.SIGUSR1, before)
    child = Path(f"/proc/{said.read_text().strip()}")
    give_up = time.monotonic() + 5
    while (child / "cmdline").exists() and time.monotonic() < give_up:
        if not (child / "cmdline").read_bytes():  # ended, and not waited for
            break
        time.sleep(0.02)
    else:
        assert not child.exists()
