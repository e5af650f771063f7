# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings, weakest first: built-in profile, ``backport.toml``, ``git config backport.*``, options.

A tree's own ``backport.toml`` comes from strangers: it may say which built-in profile and upstream fit
the tree (`_TREE_MAY_SET`: nothing that proves less) and may *propose* a build command, which is shown
and never run before the user has named it himself with ``git config backport.build`` or ``--build``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from backport.errors import UsageError
from backport.levels import Level, Prerequisites, Record

TREE_FILE = b"backport.toml"
_TREE_MAY_SET = frozenset({"profile", "upstream"})
_BUILT_IN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?<!\.toml)")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run needs to know; None where nobody said."""

    branch: str | None = None
    upstream: str | None = None
    series: tuple[str, ...] = ()
    sibling: tuple[str, ...] = ("auto",)
    """Newer stable branches whose version of a patch counts, nearest first; ``auto``, ``none``."""
    profile: str = "xen-pv-shim-4.10"
    validate: Level | None = None
    build: str | None = None
    build_timeout: int = 3600
    """Seconds for one build."""
    jobs: int = 0
    """Processes for validation; 0 is one a processor."""
    prerequisites: Prerequisites = "report"
    record: Record = "none"
    writable: tuple[str, ...] = ()
    """Folders outside the worktree that a sandboxed build may write to (a ccache, say)."""
    partial: bool = False
    """Take a series of which patches are missing."""
    sandbox: bool = True
    replay: bool = False
    """Build a step by the commands that it changes, where a watched build shows which.  Off until it has
    been watched on more trees than two: watching costs, and a wrong object costs more."""
    accept: tuple[str, ...] = ()
    """Findings that do not fail a step: ``invariant:scenario`` with shell wildcards."""
    only: tuple[str, ...] = ()
    """The patches that a run brings, with what they need; all of the series where it is empty."""
    proposed_build: str | None = None
    """What the tree's own file proposes; never run as it stands."""


def load_settings(git_config: Mapping[str, tuple[str, ...]], tree_file: bytes | None) -> Settings:
    """Merge the tree's file and git's configuration (keys as in ``backport.<key>``)."""
    settings = Settings()
    if tree_file is not None:
        settings = _from_tree(settings, tree_file)
    for key, values in git_config.items():
        settings = _set(settings, key, list(values), f"git config backport.{key}")
    return settings


def with_options(settings: Settings, **options: Any) -> Settings:
    """The settings with the options that were given (None and () mean not given)."""
    return replace(settings, **{k: v for k, v in options.items() if v is not None and v != ()})


def _from_tree(settings: Settings, data: bytes) -> Settings:
    where = TREE_FILE.decode()
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{where} of the branch cannot be read: {error}") from error
    for key, value in table.items():
        if key == "build" and isinstance(value, str):
            settings = replace(settings, proposed_build=value)
        elif key == "profile" and not _BUILT_IN_NAME.fullmatch(str(value)):
            raise UsageError(
                f"{where} of the branch names the profile {value!r}",
                "a tree may name a built-in profile; name a file with --profile or git config",
            )
        elif key in _TREE_MAY_SET:
            settings = _set(settings, key, [value], where)
        else:
            raise UsageError(
                f"{where} of the branch sets {key!r}",
                f"a tree may set {', '.join(sorted(_TREE_MAY_SET))}, and propose a build",
            )
    return settings


def _set(settings: Settings, key: str, values: list[Any], where: str) -> Settings:
    name = key.lower().replace("-", "_")
    name = {"buildtimeout": "build_timeout"}.get(name, name)
    known = {field.name for field in fields(Settings)} - {"only", "proposed_build"}
    if name not in known:
        raise UsageError(f"{where}: there is no such setting", f"known: {', '.join(sorted(known))}")
    value: Any = values[-1]
    if name in ("series", "sibling", "writable", "accept"):
        value = tuple(str(x) for x in values)
    elif name in ("jobs", "build_timeout"):
        try:
            value = int(value)
        except ValueError:
            raise UsageError(f"{where}: {value!r} is not a whole number") from None
    elif name in ("sandbox", "partial", "replay"):
        value = str(value).lower() in ("true", "yes", "on", "1")
    else:
        allowed = {"validate": Level, "prerequisites": Prerequisites, "record": Record}.get(name)
        if not isinstance(value, str) or (allowed and value not in get_args(allowed)):
            options = f"one of {', '.join(get_args(allowed))}" if allowed else "text"
            raise UsageError(f"{where}: {value!r} should be {options}")
    return replace(settings, **{name: value})


def level_of(settings: Settings) -> tuple[Level, str]:
    """The level in force and a phrase for it; an explicit level without a build is an error."""
    wanted = settings.validate
    if wanted == "none":
        return "none", "nothing was proven: --validate none"
    if settings.build is None:
        proposed = (
            f"; the tree proposes {settings.proposed_build!r}: accept it with"
            f" `git config backport.build {settings.proposed_build!r}`"
            if settings.proposed_build
            else ""
        )
        if wanted is None:
            return "none", f"nothing was proven: no build command is configured{proposed}"
        raise UsageError(
            f"--validate {wanted} needs a build command{proposed}",
            "name it with --build '...' or `git config backport.build '...'`",
        )
    if wanted is None or wanted == "object":
        return "object", "each step was built and its core emulated"
    if wanted == "boot":
        return "boot", "each step was built, its core emulated and its image booted"
    return "build", "each step was built"
