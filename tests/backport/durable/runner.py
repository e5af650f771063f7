# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs command lines, each in a child of its own that may die: loaded once, under ``LD_PRELOAD``.

Every line of standard input is a JSON list: the arguments.  For each a line comes back: how the child ended
(an exit code, or minus a signal) and what it said.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile


def main() -> None:
    """Serve until standard input ends."""
    # What every run needs, loaded before the fork.
    import git
    import networkx
    import pygit2

    from backport import cli
    from backport.commands import apply, going_on
    from backport.run import conflict, life, phases, proof
    from backport.validate import core, prover

    assert all(
        (git, networkx, pygit2, apply, going_on, conflict, life, phases, proof, core, prover)
    )
    for line in sys.stdin:
        words = json.loads(line)
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if child == 0:
                os.setsid()
                os.environ["DURABLE_RUNNER"] = str(os.getpid())
                for stream in (1, 2):
                    os.dup2(said.fileno(), stream)
                sys.argv = ["backport", *words]
                code = 128
                try:
                    cli.main()
                except SystemExit as ended:
                    code = ended.code if isinstance(ended.code, int) else 0
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
        print(json.dumps([os.waitstatus_to_exitcode(status), text]), flush=True)


if __name__ == "__main__":
    main()
