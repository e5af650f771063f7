# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings, weakest first: built-in profile, ``backport.toml``, ``git config backport.*``, options.

A tree's own ``backport.toml`` comes from strangers: it may say which built-in profile and upstream fit
the tree (`_TREE_MAY_SET`: nothing that proves less) and may *propose* a build command, which is shown
and never run before the user has named it himself with ``git config backport.build`` or ``--build``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import fields, replace

from backport.accepted import accept_error
from backport.errors import UsageError
from backport.levels import NO_BUILD, NOT_ASKED, Allow, Level, Prerequisites, Record, SandboxUse
from series.reading.choices import Keep, QuotedCr

TREE_FILE = b"backport.toml"
_TREE_MAY_SET = frozenset({"profile", "upstream"})
_CHOICES: dict[str, type[StrEnum]] = {
    "validate": Level,
    "prerequisites": Prerequisites,
    "record": Record,
    "keep": Keep,
    "quoted_cr": QuotedCr,
    "sandbox": SandboxUse,
}
_RANGES = {
    "jobs": (0, 4096),
    "build_timeout": (1, 1 << 31),
    "strip": (0, 99),
    "fuzz": (0, 3),
    "audit": (0, 1 << 31),
    "cache_limit": (1, 1 << 31),
}
_REPEATED = frozenset(
    (
        "series",
        "sibling",
        "writable",
        "readable",
        "passenv",
        "accept",
        "guard",
        "allow",
        "notes_key",
    )
)
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")
_SANDBOX_BEFORE = {
    **dict.fromkeys(("true", "yes", "on", "1", "auto"), "auto"),
    **dict.fromkeys(("false", "no", "off", "0"), "off"),
}
"""The setting was a boolean once, and git writes those in many ways."""
_BUILT_IN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?<!\.toml)")


class Settings(Struct, frozen=True):
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
    prerequisites: Prerequisites = Prerequisites.REPORT
    record: Record = Record.AUTO
    writable: tuple[str, ...] = ()
    """Folders outside the worktree that a sandboxed build may write to (a ccache, say)."""
    readable: tuple[str, ...] = ()
    """Files and folders that a sandboxed build sees although the likes of them are hidden."""
    passenv: tuple[str, ...] = ()
    """Variables that builds get although their names or values look like secrets."""
    version_line: str | None = None
    """``PATH:LINE`` with ``{version}`` in it: what a release changes in the tree."""
    notes_key: tuple[str, ...] = ()
    """Fingerprints of the keys whose notes on commits count."""
    partial: bool = False
    """Accept an incomplete series."""
    author: str | None = None
    """``NAME <ADDRESS>`` for patches that name no author."""
    strip: int | None = None
    """Leading path components to strip, as ``-p`` of patch(1); None: what the series says, else 1."""
    keep: Keep = Keep.NONE
    scissors: bool = False
    """Cut a mail at its scissors line (git's ``mailinfo.scissors``)."""
    quoted_cr: str = "auto"
    """CR LF in encoded mails (git's ``mailinfo.quotedCr``): auto, nowarn or strip."""
    commit_encoding: str = ""
    """Of new commits, where it is not UTF-8 (git's ``i18n.commitEncoding``)."""
    trailers: bool = False
    """Add the trailers that replies give."""
    signoff: bool = False
    allow: tuple[str, ...] = ()
    """What a pick may do that it never does by itself: ``binary-stub``."""
    base: str | None = None
    """The revision that patches were made on which name no blob, or none that is at hand."""
    fuzz: int = 0
    """Outer lines of a hunk's context that may differ."""
    guard: tuple[str, ...] = ()
    """Guards of a series.conf that are set; ``none`` for none."""
    sandbox: SandboxUse = SandboxUse.AUTO
    replay: bool = False
    """Build a step by the commands that it changes, where a watched build shows which.  Off until it has
    been watched on more trees than two: watching costs, and a wrong object costs more."""
    audit: int = 20
    """Of so many steps that were not built as a whole, one is once more, and compared; 0 for none."""
    cache_limit: int = 2048
    """MiB that the cache of verdicts may take."""
    lint: str | None = None
    """A command that says of a commit, a mail on its standard input, what is wrong with its style."""
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
        if key == "commit_encoding":
            settings = replace(settings, commit_encoding=values[-1])
            continue
        settings = _set(settings, key, list(values), f"git config backport.{key}")
    return settings


def with_options(settings: Settings, **options: Any) -> Settings:
    """The settings with the options that were given (None and () mean not given)."""
    given = {k: v for k, v in options.items() if v is not None and v != ()}
    # A choice that is compared by identity is never left a string.
    given |= {k: choices(given[k]) for k, choices in _CHOICES.items() if k in given}
    _refuse_unknown_findings(given.get("accept", ()), "--accept")
    return replace(settings, **given)


def tree_sets(data: bytes | None) -> frozenset[str]:
    """The settings that a tree's file makes."""
    if data is None:
        return frozenset()
    import tomllib

    return frozenset(tomllib.loads(data.decode("utf-8"))) & _TREE_MAY_SET


def _from_tree(settings: Settings, data: bytes) -> Settings:
    import tomllib  # few trees have that file, and every command would load its parser

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


def _known_settings(key: str) -> str:
    """The setting that was meant, or all of them, as they are spelt in git's configuration."""
    from difflib import get_close_matches

    from backport.config_keys import KEYS

    names = {known.name.lower(): known.name for known in KEYS}
    near = get_close_matches(key.lower().replace("-", "").replace("_", ""), names, 1)
    if near:
        return f"did you mean backport.{names[near[0]]}? `backport config` lists all settings"
    return f"known: {', '.join(sorted(names.values()))}"


def _set(settings: Settings, key: str, values: list[Any], where: str) -> Settings:
    name = key.lower().replace("-", "_")
    name = {
        "buildtimeout": "build_timeout",
        "quotedcr": "quoted_cr",
        "cachelimit": "cache_limit",
        "noteskey": "notes_key",
        "versionline": "version_line",
    }.get(name, name)
    known = {field.name for field in fields(Settings)} - {
        "only",
        "proposed_build",
        "commit_encoding",
    }
    if name not in known:
        raise UsageError(f"{where}: unknown setting", _known_settings(key))
    value: Any = values[-1]
    if name == "allow" and not set(values) <= {str(one) for one in Allow}:
        raise UsageError(f"{where}: should be one of {', '.join(Allow)}")
    if name in _REPEATED:
        value = tuple(str(x) for x in values)
        if name == "accept":
            _refuse_unknown_findings(value, where)
    elif name in _RANGES:
        least, most = _RANGES[name]
        try:
            value = int(value)
        except ValueError:
            raise UsageError(f"{where}: {value!r} is not an integer") from None
        if not least <= value <= most:
            raise UsageError(f"{where}: {value} should be between {least} and {most}")
    elif name in ("partial", "replay", "trailers", "signoff", "scissors"):
        word = str(value).lower()
        if word not in (*_YES, *_NO):
            raise UsageError(f"{where}: {value!r} should be true or false")
        value = word in _YES
    else:
        choices: type[StrEnum] | None = _CHOICES.get(name)
        if name == "sandbox":
            value = _SANDBOX_BEFORE.get(str(value).lower(), value)
        try:
            if not isinstance(value, str):
                raise ValueError
            value = choices(value) if choices is not None else value
        except ValueError:
            options = f"one of {', '.join(choices)}" if choices is not None else "text"
            raise UsageError(f"{where}: {value!r} should be {options}") from None
    return replace(settings, **{name: value})


def _refuse_unknown_findings(patterns: Sequence[str], where: str) -> None:
    for pattern in patterns:
        if wrong := accept_error(pattern):
            raise UsageError(f"{where}: {pattern!r} {wrong}")


def level_of(settings: Settings) -> tuple[Level, str]:
    """The level in force and a phrase for it; an explicit level without a build is an error."""
    wanted = settings.validate
    if wanted is Level.NONE:
        return Level.NONE, NOT_ASKED
    if settings.build is None:
        proposed = (
            f"; the tree proposes {settings.proposed_build!r}: accept it with"
            f" `git config backport.build {settings.proposed_build!r}`"
            if settings.proposed_build
            else ""
        )
        if wanted is None:
            return Level.NONE, f"{NO_BUILD}{proposed}"
        raise UsageError(
            f"--validate {wanted} needs a build command{proposed}",
            "name it with --build '...' or `git config backport.build '...'`",
        )
    if wanted is None or wanted is Level.OBJECT:
        return Level.OBJECT, "each step was built and its core emulated"
    if wanted is Level.BOOT:
        return Level.BOOT, "each step was built, its core emulated and its image booted"
    return Level.BUILD, "each step was built"
