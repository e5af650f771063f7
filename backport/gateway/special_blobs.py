# SPDX-License-Identifier: GPL-2.0-or-later
"""What git's own fsck says of a file that git itself reads: ``.gitmodules``, ``.gitattributes``.

A server that checks what it is sent (receive.fsckObjects) refuses a history that ever held a bad one, and
such a history cannot be mended but by writing it anew.  Git is asked in a repository of its own, which
takes 20 ms, and only where a patch writes such a file.
"""

from __future__ import annotations

import re
import subprocess

from backport.environment import Environment
from backport.errors import GitFailed
from backport.store.files import temporary_folder

_SAID = re.compile(r"^error in \w+ [0-9a-f]+: (.*)$", re.MULTILINE)


def blob_faults(name: str, content: bytes, environment: Environment) -> frozenset[str]:
    """What ``git fsck --strict`` calls an error in a file of that name; empty where it finds none.

    Raises `GitFailed` where git cannot tell.
    """
    with temporary_folder() as folder:

        def git(*words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
            done = subprocess.run(
                ["git", f"--git-dir={folder}", *words],
                cwd=folder,
                env=environment.for_git(),
                input=data,
                capture_output=True,
                check=False,
            )
            if done.returncode and words[0] != "fsck":
                said = done.stderr.decode("utf-8", "replace").strip()
                raise GitFailed(f"{name} cannot be examined: git {words[0]}: {said}")
            return done

        git("init", "-q", "--bare", "--template=", ".")
        blob = git("hash-object", "-w", "--no-filters", "--stdin", data=content).stdout.strip()
        git("mktree", data=b"100644 blob " + blob + b"\t" + name.encode() + b"\n")
        done = git("fsck", "--strict", "--no-dangling", "--no-reflogs")
        if done.returncode and not _SAID.search(
            (done.stdout + done.stderr).decode("utf-8", "replace")
        ):
            said = done.stderr.decode("utf-8", "replace").strip()
            raise GitFailed(f"{name} cannot be examined: git fsck: {said}")
        return frozenset(_SAID.findall((done.stdout + done.stderr).decode("utf-8", "replace")))
