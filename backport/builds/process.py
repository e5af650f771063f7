# SPDX-License-Identifier: GPL-2.0-or-later
"""A command of the user's, bounded in time and in what it may say, and stopped when it is not wanted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from series.model import escaped

_KEEP = 1 << 20
"""Bytes kept of the beginning and of the end of what a command prints."""
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
"""Colours, titles and other sequences: a build is not to move the user's cursor."""
_WORDS = re.compile(r"[^\t\n]+")
"""All but the controls that a log has: what turns the direction of writing is escaped there as anywhere."""
_LONGEST = (1 << 31) - 1
"""Milliseconds that poll(2) waits at most."""


class Stop:
    """Ends the commands that run under it, also those of other threads, once `set` is called."""

    def __init__(self) -> None:
        self._end, self._open = os.pipe()
        self.is_set = False

    def __enter__(self) -> Stop:
        return self

    def __exit__(self, *_: object) -> None:
        self.set()
        os.close(self._end)

    def set(self) -> None:
        """Stop them."""
        if not self.is_set:
            self.is_set = True
            os.close(self._open)  # who polls the other end wakes up

    def fileno(self) -> int:
        return self._end


def run_bounded(
    words: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    stop: Stop | None = None,
    *,
    piped: bool = False,
) -> tuple[int | None, str]:
    """Exit code (None: killed after ``timeout`` seconds) and output, the middle of a long one left out.
    ``piped``: there is an empty pipe to read from, as make gives one to parallel jobs, not /dev/null.

    The command's process group ends with it: what it left running in the background is not waited for.
    """
    out, into = os.pipe()
    # A make sets that for all who write there: so it is as well where one of its commands runs alone.
    fcntl.fcntl(into, fcntl.F_SETFL, os.O_WRONLY | os.O_APPEND)
    said = _Said(out)
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=into,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if process.stdin is not None:
            process.stdin.close()
    except BaseException:
        os.close(out)
        raise
    finally:
        os.close(into)
    said.start()
    try:
        code = _wait(process, timeout, stop)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        said.finish()
    return code, said.text()


def _wait(process: subprocess.Popen[bytes], timeout: float, stop: Stop | None) -> int | None:
    """The exit code; None when the time is over, or nobody wants it any more.

    By a descriptor of the process: `Popen.wait` with a timeout looks every 50 ms, which is as long as
    a short command takes.
    """
    ended = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        for file in (ended, *((stop,) if stop is not None else ())):
            poll.register(file, select.POLLIN | select.POLLHUP)
        ready = {file for file, _ in poll.poll(min(timeout * 1000, _LONGEST))}
        return process.wait() if ended in ready else None
    finally:
        os.close(ended)


class _Said:
    """Reads a pipe to its end, or until nobody waits for more."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = 0
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        self._reader.start()

    def finish(self) -> None:
        """Take what is there; what a left-over process may still say does not count."""
        self._reader.join(0.2)
        self._over = True
        self._reader.join()

    def _read(self) -> None:
        try:
            while True:
                ready, _, _ = select.select([self._pipe], [], [], 0.05)
                if not ready:
                    if self._over:
                        return
                    continue
                chunk = os.read(self._pipe, 65536)
                if not chunk:
                    return
                self._keep(chunk)
        finally:
            os.close(self._pipe)

    def _keep(self, chunk: bytes) -> None:
        room = max(0, _KEEP - len(self._head))
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * _KEEP:
            self._lost += len(self._tail) - _KEEP
            del self._tail[:-_KEEP]

    def text(self) -> str:
        """What was said, the middle of a long speech left out, and without words to a terminal."""
        gap = b"\n... %d bytes left out ...\n" % self._lost if self._lost else b""
        said = _CONTROL.sub("", bytes(self._head + gap + self._tail).decode("utf-8", "replace"))
        return _WORDS.sub(lambda found: escaped(found[0]), said)
