# SPDX-License-Identifier: GPL-2.0-or-later
"""Run command lines, and kill each by SIGKILL before its n-th durable act.

A durable act is whatever another process could see afterwards: an object, a rename into place, an
fsync, a git command.  Dying happens just before the act, so N and N+1 frame each one.  With N = 0
nothing is killed and the number of acts is printed last.  From a limit of new objects on they go into
a pack.

The program is loaded once, in a process that forks for every command line: ``python -m
tests.backport.killer`` reads a line of JSON for each, and answers how it ended and what it said.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def killed_at(act: int, arguments: list[str], limit: int = 100) -> subprocess.CompletedProcess[str]:
    """Run ``backport`` with ``arguments`` in a process of its own, killed before its ``act``-th act."""
    process = _process()
    assert process.stdin is not None and process.stdout is not None
    asked = [act, limit, arguments, dict(os.environ)]
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()
    code, said, error = json.loads(process.stdout.readline())
    return subprocess.CompletedProcess(arguments, code, said, error)


@functools.cache
def _process() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.backport.killer"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.communicate)
    return process


def serve() -> None:
    """Load what every run needs, and run command lines until standard input ends."""
    import git
    import networkx
    import pygit2

    from backport import cli
    from backport.commands import apply, going_on
    from backport.run import conflict, life, phases, proof
    from backport.validate import core, prover

    assert all(
        (git, networkx, pygit2, cli, apply, going_on, conflict, life, phases, proof, core, prover)
    )
    for line in sys.stdin:
        act, limit, arguments, environment = json.loads(line)
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as error:
            child = os.fork()
            if child == 0:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(said.fileno(), 1)
                os.dup2(error.fileno(), 2)
                os.environ.clear()
                os.environ.update(environment)
                os._exit(run(act, limit, arguments))
            _, status = os.waitpid(child, 0)
            texts = []
            for file in (said, error):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        print(json.dumps([os.waitstatus_to_exitcode(status), *texts]), flush=True)


def run(deadline: int, limit: int, arguments: list[str]) -> int:
    """Make the acts deadly, then run; the exit code."""
    import traceback

    import pygit2

    from backport.cli import app
    from backport.gateway import objects, refs
    from backport.gateway.git_runner import GitRunner
    from backport.gateway.repository import Repo

    count = 0
    objects.UNPACK_LIMIT = limit

    def deadly(act: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == deadline:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **named)

        return counted

    for owner, name in (
        (os, "replace"),
        (os, "rename"),
        (os, "fsync"),
        (objects.Objects, "store"),
        (pygit2.Repository, "write"),
        (Repo, "write_commit"),
        (GitRunner, "__call__"),
        (GitRunner, "feed"),
        (refs, "delete"),
    ):
        setattr(owner, name, deadly(getattr(owner, name)))
    code = 1
    try:
        ended = app(arguments, standalone_mode=False)
        code = ended if isinstance(ended, int) else 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:
        traceback.print_exc()
    print(f"acts {count}")
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve()
