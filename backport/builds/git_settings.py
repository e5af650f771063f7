# SPDX-License-Identifier: GPL-2.0-or-later
"""What of the user's git configuration a build gets to see, whose own file is hidden from it.

A build that asks git for a version must be allowed to read the repository (safe.directory), and one that
commits needs a name.  Helpers, commands, URLs and tokens stay hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

_SHOWN = ("safe.directory", "user.name", "user.email")
_MOST_LINKS = 40
"""That Linux follows in one name (path_resolution(7))."""


def harmless(config: Mapping[str, tuple[str, ...]]) -> bytes:
    """A configuration file with these settings alone; ``config``: every value of a key."""
    lines: list[str] = []
    for key in _SHOWN:
        section, _, name = key.partition(".")
        lines += (f"[{section}]\n\t{name} = {_quoted(value)}\n" for value in config.get(key, ()))
    return "".join(lines).encode("utf-8", "surrogateescape")


def git_files(variables: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that git reads as the user's own."""
    home = variables.get("HOME", "")
    folder = variables.get("XDG_CONFIG_HOME") or f"{home}/.config"
    named = (f"{home}/.gitconfig", f"{folder}/git/config")
    return tuple(Path(name) for name in named if name.startswith("/"))


def place_in_build(path: Path, is_hidden: Callable[[Path], bool]) -> Path:
    """Where an absolute name leads in a build: a link in a hidden folder is not there.

    A manager of dotfiles has ~/.gitconfig or ~/.config lead to a folder of its own, and a home may be a link.
    """
    at, rest, links = Path("/"), list(path.parts[1:]), 0
    while rest:
        part = rest.pop(0)
        here = at.parent if part == ".." else at / part
        if links < _MOST_LINKS and here.is_symlink() and not is_hidden(at):
            links += 1
            target = here.readlink()
            at = Path("/") if target.is_absolute() else at
            rest[:0] = target.relative_to("/").parts if target.is_absolute() else target.parts
        else:
            at = here
    return at


def _quoted(value: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(plain, escaped)
    return f'"{value}"'
