# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a build's output says why it failed."""

from __future__ import annotations

import re

_ERROR = re.compile(
    r":\d+(?::\d+)?: (?:fatal )?[Ee]rror: |: undefined reference to |: multiple definition of "
    r"|command not found|No rule to make target"
)


def compiler_errors(log: str) -> tuple[str, ...]:
    """What the compiler said: each error with the two lines of source under it, else the log's end.

    From the first one on: what comes after ten thousand lines is as a rule the first one's doing.
    """
    lines = log.splitlines()
    found: list[str] = []
    for at, line in enumerate(lines):
        if _ERROR.search(line) and "make" not in line.split(":")[0]:
            found.append(line.strip())
            found += [
                x.rstrip() for x in lines[at + 1 : at + 3] if x.lstrip()[:1].isdigit() or "|" in x
            ]
        if len(found) >= 24:
            break
    return tuple(found) or tuple(line.strip() for line in lines[-8:] if line.strip())
