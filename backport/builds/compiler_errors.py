# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a build's output says why it failed, and the places and names that it speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

_ERROR = re.compile(
    r":\d+(?::\d+)?: (?:fatal )?[Ee]rror: |: undefined reference to |: multiple definition of "
    r"|command not found|No rule to make target"
)
_COMPILER = re.compile(
    r"(?P<path>[^\s:()][^:()]{0,4095}):(?P<line>\d{1,9})(?::(?P<column>\d{1,9}))?:"
    r" (?:fatal )?[Ee]rror: (?P<text>.*)"
)
_LINKER = re.compile(
    r"(?:\S{0,4095}ld(?:\.\w+)?: )?(?P<path>[^\s:()][^:()]{0,4095}):(?:(?P<line>\d{1,9})|\([^)]*\)):"
    r" (?P<text>(?:undefined reference to|multiple definition of) .*)"
)
_NAME = re.compile(r"[‘'`]((?:struct |union |enum )?[A-Za-z_]\w*)(?:\(\))?[’']")
_INCLUDE = re.compile(r"(\S+): No such file or directory")
_OURS = "/backport/build/"
"""Where steps are built: an absolute path of a compiler's leads through it."""
_UNKNOWN = (
    "undeclared",
    "implicit declaration",
    "unknown type name",
    "undefined reference",
    "has no member",
    "incomplete type",
    "storage size",
    "was not declared",
    "undeclared identifier",
    "undefined label",
)
"""What compilers and linkers say of a name that nothing has introduced."""


class Diagnostic(Struct, frozen=True):
    """An error of a compiler or a linker, with its place as that program names it."""

    path: str
    line: int | None
    column: int | None
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it quotes: symbols, types, members; or the header that was not found."""
        found = [name.rpartition(" ")[2] for name in _NAME.findall(self.text)]
        return tuple(dict.fromkeys([*found, *_INCLUDE.findall(self.text)]))

    @property
    def lacking(self) -> bool:
        """Whether it says that something was not introduced."""
        return any(word in self.text for word in _UNKNOWN) or bool(_INCLUDE.search(self.text))


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


def diagnostics(lines: Iterable[str]) -> tuple[Diagnostic, ...]:
    """The errors among the lines of a verdict that name a place."""
    found = []
    for line in lines:
        match = _COMPILER.match(line) or _LINKER.match(line)
        if match is not None:
            groups = match.groupdict()
            number, column = groups["line"], groups.get("column")
            found.append(
                Diagnostic(
                    groups["path"].rpartition(_OURS)[2],
                    int(number) if number else None,
                    int(column) if column else None,
                    groups["text"],
                )
            )
    return tuple(found)
