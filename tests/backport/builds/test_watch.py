# SPDX-License-Identifier: GPL-2.0-or-later
"""The watcher against what a program is known to do with files."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backport.builds.recorded.watch import read_log, watcher, works


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watcher")
    found, why = watcher(folder)
    why = why if found is None else works(found, (), folder / "log")
    if why:
        pytest.skip(why)
    assert found is not None
    return found


CASES: list[tuple[str, str, set[str]]] = [
    ("read", "open('file')", {"R file"}),
    ("absent", "os.path.exists('none')", {"E none"}),
    ("absent folder", "os.path.exists('file/none')", {"E file/none", "S file"}),
    ("made in a folder that is not there", "open('no/such/file', 'w')",
     {"E no/such/file", "E no/such", "E no"}),
    ("moved to a folder that is not there", "os.rename('file', 'no/file')", {"E file", "E no/file", "E no"}),
    ("a socket that is not there", "import socket; socket.socket(socket.AF_UNIX).connect('none')",
     {"E none"}),
    ("no socket", "import socket; socket.socket(socket.AF_UNIX).connect('file')", {"S file"}),
    ("a program without its interpreter",
     "open('file', 'w').write('#!none'); os.chmod('file', 0o755); os.execv('file', ['file'])",
     {"W file", "A file", "R file", "E none"}),
    ("there", "os.stat('file')", {"S file"}),
    ("open absent", "os.open('none', os.O_RDONLY)", {"E none"}),
    ("folder", "os.listdir('sub')", {"D sub"}),
    ("link itself", "os.lstat('dangling')", {"S dangling"}),
    ("through a link", "os.path.exists('dangling')", {"E dangling"}),
    ("link read", "os.readlink('dangling')", {"R dangling"}),
    ("no link", "os.readlink('file')", {"S file"}),
    ("asked of a descriptor", "os.fstat(0)", set()),
    ("nofollow", "os.open('dangling', os.O_RDONLY | os.O_NOFOLLOW)", {"E dangling"}),
    ("from a folder", "os.open('file', os.O_RDONLY, dir_fd=os.open('sub', 0))", {"D sub", "R sub/file"}),
    ("elsewhere", "os.chdir('sub'); open('file')", {"S sub", "R sub/file"}),
    ("asked whether it is there", "os.access('file', os.F_OK), os.access('sub', os.R_OK | os.W_OK)",
     {"P file", "P sub"}),
    ("asked whether it may run", "os.access('file', os.R_OK | os.X_OK)", {"S file"}),
    ("asked for in vain", "os.access('none', os.F_OK)", {"E none"}),
    ("nowhere", "os.chdir('none')", {"E none"}),
    ("mode of what is open", "os.fchmod(os.open('file', os.O_RDONLY), 0o600)", {"R file", "A file"}),
    ("folder removed", "os.mkdir('there'); os.rmdir('there')", {"M there", "K there"}),
    ("folder that is not empty", "os.rmdir('sub')", {"D sub"}),
    ("folder renamed", "os.rename('sub', 'other')",
     {"R sub", "U sub", "N other"}),
    ("back again", "d = os.open('.', 0); os.chdir('sub'); os.fchdir(d); open('file')",
     {"D .", "S sub", "R file"}),
    ("made", "open('new', 'w')", {"W new"}),
    ("emptied", "open('file', 'w')", {"W file"}),
    ("changed", "open('file', 'a')", {"A file"}),
    ("renamed", "os.rename('file', 'other')", {"R file", "U file", "N other"}),
    ("exchanged", "import ctypes; ctypes.CDLL(None).renameat2(-100, b'file', -100, b'sub/file', 2)",
     {"R file", "U file", "N sub/file", "N file"}),
    ("linked", "os.link('file', 'other')", {"R file", "N other"}),
    ("removed", "os.unlink('file')", {"U file"}),
    ("not removed", "os.unlink('none')", {"E none"}),
    ("folder made", "os.mkdir('there')", {"M there"}),
    ("folder there already", "os.mkdir('sub')", {"m sub"}),
    ("folder made of a mode of its own", "os.mkdir('there', 0o700)", {"M there", "A there"}),
    ("folder made under a umask of its own", "os.umask(0o76); os.mkdir('there')", {"M there", "A there"}),
    ("folder there already, and a umask", "os.umask(0o76); os.mkdir('sub')", {"m sub", "A sub"}),
    ("link made", "os.symlink('file', 'new')", {"N new"}),
    ("child", "os.fork() or (os.chdir('sub'), open('file'), os._exit(0)); os.wait(); open('file')",
     {"S sub", "R sub/file", "R file"}),
    ("thread", "t = threading.Thread(target=lambda: open('file')); t.start(); t.join()", {"R file"}),
]  # fmt: skip


@pytest.mark.parametrize(("_name", "code", "events"), CASES, ids=[case[0] for case in CASES])
def test_what_a_program_does_is_told(
    tmp_path: Path, binary: Path, _name: str, code: str, events: set[str]
) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    for name in ("file", "sub/file"):
        (tree / name).write_text(name)
    (tree / "dangling").symlink_to("nowhere")
    program = f"import os, threading\ntry:\n    {code}\nexcept OSError: pass\n"
    log = tmp_path / "log"
    python = Path(sys.executable).resolve()
    words = [str(binary), str(log), str(tree), "", str(python), "python", "-I", "-S", "-c", program]
    assert subprocess.run(words, check=False).returncode == 0
    prefix = f"{tree.resolve()}/"
    said = {
        f"{kind} {path.removeprefix(prefix)}"
        for process in read_log(log)
        for _, kind, path in process.events
        if path.startswith(prefix)
    }
    assert said == events


_CALL = "import ctypes; call = ctypes.CDLL(None).syscall; "
_BORN = "or os._exit(0)"
"""After a call that makes a process: the child ends."""
_NEWUSER, _SIGCHLD = 0x10000000, 17
SEEN_AS: list[tuple[str, str, str, str]] = [
    ("several messages at once",
     _CALL + "import socket; s, t = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM);"
     " call(307, s.fileno(), ctypes.create_string_buffer(64), 1, 0)", "opaque", "a connection"),
    ("a lease", "import fcntl; fcntl.fcntl(open('file'), fcntl.F_SETLEASE, fcntl.F_RDLCK)",
     "opaque", "what others do with a file"),
    ("a folder is watched", "import fcntl; fcntl.fcntl(os.open('sub', 0), fcntl.F_NOTIFY, fcntl.DN_CREATE)",
     "opaque", "what others do with a file"),
    ("clone(2) into a namespace", _CALL + f"call(56, {_NEWUSER | _SIGCHLD}, 0, 0, 0, 0) {_BORN}",
     "opaque", "a namespace of its own"),
    ("clone3(2) into a namespace",
     _CALL + f"call(435, (ctypes.c_ulonglong * 8)({_NEWUSER}, 0, 0, 0, {_SIGCHLD}), 64) {_BORN}",
     "opaque", "a namespace of its own"),
    ("proc(5) by a descriptor", "os.open('status', 0, dir_fd=os.open('/proc/self', os.O_PATH))",
     "sees", "status"),
    ("proc(5) from a folder in it", "os.chdir('/proc/self'); open('status')", "sees", "status"),
    ("proc(5) by a link", "os.symlink('/proc/self/status', 'l'); open('l')", "sees", "l"),
    ("proc(5) by a link to a folder", "os.symlink('/proc/self', 'l'); open('l/status')", "sees", "status"),
    ("proc(5) by a path that is not plain", "open('/proc/self/./stat')", "sees", "stat"),
    ("proc(5) by a link to be written", "os.symlink('/proc/self/status', 'l'); open('l', 'r+')", "sees", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("_name", "code", "kind", "text"), SEEN_AS, ids=[case[0] for case in SEEN_AS]
)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the calls have these numbers there")
def test_what_cannot_be_followed_is_told(
    tmp_path: Path, binary: Path, _name: str, code: str, kind: str, text: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_text("file")
    program = f"import os\ntry:\n    {code}\nexcept OSError: pass\n"
    log = tmp_path / "log"
    python = Path(sys.executable).resolve()
    words = [str(binary), str(log), str(tmp_path), "", str(python), "python", "-I", "-S", "-c"]
    assert subprocess.run([*words, program], check=False).returncode == 0
    said = [getattr(process, kind) for process in read_log(log)]
    assert any(one.endswith(text) and one for one in said), said


def test_where_links_lead_and_which_names_a_file_has(tmp_path: Path, binary: Path) -> None:
    script = "ln -s one link; mv link other; echo >file; ln file twin"
    words = [str(binary), str(tmp_path / "log"), str(tmp_path), "", "/bin/sh", "sh", "-c", script]
    assert subprocess.run(words, check=False).returncode == 0
    found = read_log(tmp_path / "log")
    assert [link[1:] for process in found for link in process.links] == [
        (str(tmp_path / "link"), "one"),
        (str(tmp_path / "other"), "one"),
    ]
    twins = [twin[1:] for process in found for twin in process.twins]
    assert twins == [(str(tmp_path / "file"), str(tmp_path / "twin"))]


def test_what_little_files_held_is_kept_before_they_are_written_over(
    tmp_path: Path, binary: Path
) -> None:
    for name in ("one", "two", "three", "four", "twin"):
        (tmp_path / name).write_bytes(name.encode() + b"\xff\0")
        (tmp_path / name).chmod(0o640)
    (tmp_path / "other").hardlink_to(tmp_path / "twin")
    (tmp_path / "large").write_bytes(bytes(1 << 15))
    script = "echo >one; echo >new; mv new two; echo >>three; rm four; echo >twin; echo >large"
    words = [str(binary), str(tmp_path / "log"), str(tmp_path), "", "/bin/sh", "sh", "-c", script]
    assert subprocess.run(words, check=False).returncode == 0
    found = [old for process in read_log(tmp_path / "log") for old in process.old]
    assert [(path, old.mode, old.content) for _, path, old in found] == [
        (f"{tmp_path}/{name}", 0o100640, f"{name}\udcff\0") for name in ("one", "two")
    ]


def test_who_writes_to_a_fifo_waits_for_its_reader(tmp_path: Path, binary: Path) -> None:
    """Two do, and the second finds the name there already."""
    script = "mkfifo p; for x in a b; do echo $x >p & sleep 0.2; done; (sleep 0.3; sort) <p >out"
    words = [str(binary), str(tmp_path / "log"), str(tmp_path), "", "/bin/sh", "sh", "-c", script]
    subprocess.run(words, cwd=tmp_path, check=True)
    assert (tmp_path / "out").read_text() == "a\nb\n"


def test_which_folders_are_renamed_and_who_gets_a_signal(tmp_path: Path, binary: Path) -> None:
    script = "mkdir one; mv one other; sh -c 'kill -0 $PPID; kill -0 $$'; kill -0 $1"
    log = tmp_path / "log"
    with subprocess.Popen(["sleep", "50"]) as other:
        words = [str(binary), str(log), str(tmp_path), "", "/bin/sh", "sh", "-c", script, "sh"]
        assert subprocess.run([*words, str(other.pid)], check=False).returncode == 0
        other.kill()
    found = read_log(log)
    assert [path for process in found for _, path in process.moved] == [str(tmp_path / "one")]
    child = next(
        one for one in found if one.images and "kill -0 $PPID; kill -0 $$" in one.images[0].argv
    )
    assert [process.signalled for process in (found[0], child)] == [{0}, {1}]


def test_the_interpreters_of_a_script_are_read(tmp_path: Path, binary: Path) -> None:
    for name, line in (("script", "#!./middle x"), ("middle", "#! /bin/sh")):
        (tmp_path / name).write_text(f"{line}\n")
        (tmp_path / name).chmod(0o755)
    words = [str(binary), str(tmp_path / "log"), str(tmp_path), "", "./script", "script"]
    assert subprocess.run(words, check=False).returncode == 0
    read = {
        path
        for process in read_log(tmp_path / "log")
        for _, kind, path in process.events
        if kind == "R"
    }
    assert {f"{tmp_path}/./middle", "/bin/sh"} <= read


def test_the_command_s_own_end_is_the_watcher_s(tmp_path: Path, binary: Path) -> None:
    words = [str(binary), str(tmp_path / "log"), "/", "", "/bin/sh", "sh", "-c"]
    assert subprocess.run([*words, "exit 7"], check=False).returncode == 7
    assert subprocess.run([*words, "kill -9 $$"], check=False).returncode == 128 + 9


END = b"Z 0 0\n\n"


def record(kind: str, serial: int, text: str = "", size: int | None = None) -> bytes:
    """One record of the log, which says ``size`` (default: what is true) of its text."""
    length = len(text) if size is None else size
    return f"{kind} {serial} {length}\n{text}\n".encode()


def logged(tmp_path: Path, data: bytes) -> int:
    """The number of processes that are believed of a log."""
    log = tmp_path / "log"
    log.write_bytes(data)
    before = signal.signal(signal.SIGALRM, _for_ever)
    signal.alarm(5)
    try:
        return len(read_log(log))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _for_ever(*_: object) -> None:
    pytest.fail("the log is read for ever")


ROOT = record("X", 1, "/bin/sh") + record("Q", 1, "0")


def test_a_log_as_it_should_be(tmp_path: Path) -> None:
    child = record("F", 2, "1") + record("X", 2, "/bin/true")
    assert logged(tmp_path, ROOT + child + END) == 2


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(b"R 1 3\nabcXR 1 1\nq\n", id="shorter than it is, what follows looks right"),
        pytest.param(record("R", 1, "abc", 4), id="longer than it is"),
        pytest.param(record("R", 1, "abc", -8), id="back to its own beginning"),
        pytest.param(record("R", 1, "abc", 1 << 40), id="past the end"),
        pytest.param(b"R 1\nabc\n", id="no length"),
        pytest.param(b"R 1 x\nabc\n", id="not a length"),
        pytest.param(record("k", 1, "a\0" + "9" * 9 + " 1\0"), id="not a mode"),
        pytest.param(record("k", 1, "a\0" + "644 " + "9" * 20 + "\0"), id="not a date"),
    ],
)
def test_a_record_that_lies_about_itself_voids_the_log(tmp_path: Path, forged: bytes) -> None:
    assert logged(tmp_path, ROOT + forged + END) == 0


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(record("F", 2, "2"), id="its own parent"),
        pytest.param(record("F", 2, "3") + record("F", 3, "1"), id="a parent that began later"),
        pytest.param(record("F", 2, "-1"), id="a parent before the first"),
        pytest.param(record("F", 3, "2"), id="a parent that never was"),
        pytest.param(record("X", 2, "/bin/true"), id="none at all"),
        pytest.param(record("F", 2, "one"), id="not a number"),
    ],
)
def test_a_process_without_a_true_parent_voids_the_log(tmp_path: Path, forged: bytes) -> None:
    assert logged(tmp_path, ROOT + forged + END) == 0


@pytest.mark.parametrize("data", [b"", ROOT, ROOT + END[:-1], ROOT + END + b"x"])
def test_a_log_that_is_cut_short_is_no_log(tmp_path: Path, data: bytes) -> None:
    assert logged(tmp_path, data) == 0


def test_what_is_asked_again_is_told_once_until_something_changes(
    tmp_path: Path, binary: Path
) -> None:
    asked = "os.path.exists('new'); os.path.exists('new')\n"
    program = f"import os\n{asked}open('new', 'w').close()\n{asked}os.unlink('new')\n{asked}"
    python = Path(sys.executable).resolve()
    words = [
        str(binary),
        str(tmp_path / "log"),
        str(tmp_path),
        "",
        str(python),
        "python",
        "-I",
        "-S",
        "-c",
    ]
    assert subprocess.run([*words, program], check=False).returncode == 0
    new = str(tmp_path / "new")
    events = [event for process in read_log(tmp_path / "log") for event in process.events]
    assert [kind for _, kind, path in events if path == new] == ["E", "W", "S", "U", "E"]
