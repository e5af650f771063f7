# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.backport.durable --repo DIR -- apply --branch B --series S``: a sweep on any repository.

The repository is copied, and stays as it is.  Each fault of the disk meets every n-th durable call of the
command; a line for each thing that is wrong, a table at the end or after Ctrl-C.  Exit code 1 says
that anything was.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.backport.durable.machine import Machine
from tests.backport.durable.sweep import VERBS, spread, sweep

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A"), ("EMAIL", "a@example.org"), ("DATE", "1516000000 +0000"))
}
"""What makes the commits of two runs the same."""


def main() -> int:
    """Sweep; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.backport.durable", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each n-th call")
    parser.add_argument("--first", choices=VERBS, default=VERBS[0], help="the verb after the first")
    parser.add_argument("command", nargs="+", help="verb and options, behind --")
    given = parser.parse_args()
    os.environ.update(IDENTITY)
    with tempfile.TemporaryDirectory(prefix="backport-durable-") as name:
        folder = Path(name)
        subprocess.run(["cp", "-a", given.repo, folder / "template"], check=True)
        machine = Machine(folder / "machine")
        found = sweep(machine, folder, given.command)
        print(f"{found.calls} durable calls, exit {found.code}", flush=True)
        swept: Counter[tuple[str, str]] = Counter()
        wrong: Counter[tuple[str, str]] = Counter()
        with suppress(KeyboardInterrupt):
            for case in spread(found.calls, given.every, VERBS.index(given.first)):
                for what in found.check(case):
                    print(f"{case}: {what}", flush=True)
                    wrong[case.kind, case.verb] += 1
                swept[case.kind, case.verb] += 1
        machine.close()
    for (kind, verb), count in swept.items():
        print(f"{kind:16} {verb:8} {count:6} swept {wrong[kind, verb]:4} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
