# SPDX-License-Identifier: GPL-2.0-or-later
"""The few closed choices that options, configuration and the run share."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How far each step is proven; each includes the ones before it."""

    NONE = "none"
    BUILD = "build"
    OBJECT = "object"
    BOOT = "boot"


NOT_ASKED = "nothing was proven: --validate none"
NO_BUILD = "nothing was proven: no build command is configured"


class Prerequisites(StrEnum):
    """What to do about commits that the series needs, and about what it declares that it needs."""

    REPORT = "report"
    """Stop as on a conflict, and name them beside it."""
    TAKE = "take"
    STOP = "stop"
    """End the run with an exit code of its own; nothing is to be resolved."""
    IGNORE = "ignore"


class Record(StrEnum):
    """The provenance line added to a message: the branch's own convention (for commits that are picked),
    none, ``git cherry-pick -x``'s, Xen's, or the patch file's name."""

    AUTO = "auto"
    NONE = "none"
    CHERRY = "cherry"
    XEN = "xen"
    NAME = "name"


class SandboxUse(StrEnum):
    """Whether builds run in a sandbox."""

    AUTO = "auto"
    """As far as this machine can; what does not hold is said before the first build."""
    REQUIRED = "required"
    """Nothing is built where it does not hold."""
    OFF = "off"


class Allow(StrEnum):
    """What a pick may do only when the user says so."""

    BINARY_STUB = "binary-stub"
    """Leave a binary file as it is where the patch says only that it differs."""


class Forge(StrEnum):
    """Whose annotations of a change are written."""

    GITHUB = "github"
    GITLAB = "gitlab"


class Phase(StrEnum):
    """How far a run has come; see journal."""

    PLAN = "plan"
    APPLY = "apply"
    STOPPED = "stopped"
    VALIDATE = "validate"
    MOVE = "move"
