# SPDX-License-Identifier: GPL-2.0-or-later
"""``config``: every setting, its value and where that comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backport.commands import options as opt
from backport.config_keys import KEYS, Key

if TYPE_CHECKING:
    from backport.gateway.repository import Repo


def config(repo: opt.RepoDir = None, branch: opt.Branch = None, json: opt.Json = None) -> None:
    from backport.commands.here import open_repo
    from backport.report.out import write_json
    from backport.report.table import show_table

    found = open_repo(repo)
    settings = opt.settings_of(found, branch)
    origins = _origins(found, branch)
    rows = []
    for key in KEYS:
        origin = origins.get(key.field, "default")
        rows.append((f"backport.{key.name}", _shown(getattr(settings, key.field)), origin))
    write_json(json, {"settings": [_json(key, *row) for key, row in zip(KEYS, rows, strict=True)]})
    if json != "-":
        show_table(("key", "value", "from"), rows, styles=("", "cyan", "dim"))
        if settings.proposed_build:
            print(f"backport.toml of the branch proposes the build {settings.proposed_build!r}")


# \b: as it stands, not as a paragraph
config.__doc__ = (
    "Show every setting, its value and where it comes from.\n\n"
    "Set one with `git config backport.KEY VALUE`, one that may be repeated (...) with"
    " `git config --add`. An option of a command counts before it.\n\n"
    "\b\n"
    + "\n".join(f"{key.name} {key.values}{'...' * key.repeated}\n    {key.meaning}" for key in KEYS)
)


def _origins(repo: Repo, branch: str | None) -> dict[str, str]:
    """By setting, where it is not the default that counts."""
    from backport.config import TREE_FILE, tree_sets
    from backport.gateway.config_origins import config_origins

    found = dict.fromkeys(tree_sets(opt.tree_file_of(repo, branch)), TREE_FILE.decode())
    by_key = config_origins(repo)
    for key in KEYS:
        names = (f"mailinfo.{key.name.lower()}", f"backport.{key.name.lower()}")  # the last counts
        for name in names:
            if name in by_key:
                found[key.field] = by_key[name]
    return found | ({"branch": "--branch"} if branch else {})


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)


def _json(key: Key, name: str, value: str, origin: str) -> dict[str, str | None]:
    return {
        "key": name,
        "value": None if value == "-" else value,
        "origin": origin,
        "values": key.values,
        "meaning": key.meaning,
    }
