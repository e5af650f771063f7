# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong, and the exit code that says so.

    BackportError                 one message: what, where, what to do next
    ├── UsageError            2   a wrong word on the command line or in the configuration
    │   ├── NotARepository
    │   ├── UnknownRevision
    │   ├── AmbiguousRevision     more than one id begins with what was given
    │   ├── RunInProgress         another run holds the lock, or an interrupted one waits
    │   ├── GitFailed             git itself refused
    │   ├── NotStored             the disk is full, or does not take what is written
    │   ├── MissingObject         the repository lacks what its own commits name
    │   ├── UnfitCommit           a commit that git itself would not make again
    │   ├── DirtyWorktree
    │   └── BranchMoved           somebody else moved the branch: nothing was overwritten
    ├── StepFailed            1   a step did not pass its validation
    ├── Conflict              3   a patch does not go on; the run waits to be continued
    ├── MissingPrerequisite   4   something that the series needs is not there
    ├── Unreported            5   the branch has moved, but the report could not be written
    ├── Interrupted         130   the user ended it; the hint says what is left
    ├── CannotTest          125   the validation itself could not be done
    └── Unaccounted         128   our own sum over what was read does not come out

Parsers (`series`) and the emulator (`emu`) raise errors of their own; the command line translates
them to `USAGE`, since a file that cannot be read is a wrong argument.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The documented exit codes; anything at or over 128 is the tool's own fault."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFLICT = 3
    PREREQUISITE = 4
    UNREPORTED = 5
    CANNOT_TEST = 125
    INTERRUPTED = 130
    BUG = 128


class BackportError(Exception):
    """An expected failure.  ``hint`` says what to do next."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BackportError):
    """The command line or the configuration asks for what cannot be."""


class NotARepository(UsageError):
    """There is no git repository where the user stands or points."""


class UnknownRevision(UsageError):
    """A branch, tag or commit that the repository does not have."""


class AmbiguousRevision(UsageError):
    """An abbreviated id with which more than one object begins."""


class RunInProgress(UsageError):
    """A run is going on, or one was stopped and waits."""


class GitFailed(UsageError):
    """A git command failed; the message is git's own."""


class NotStored(UsageError):
    """Something could not be written, or read again: the run waits to be continued."""


class MissingObject(UsageError):
    """A commit, tree or file that the repository's own objects name is not there."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(
            what,
            hint
            or "the repository is damaged, or what it borrows objects from has gone: `git fsck` says more",
        )


class UnfitCommit(UsageError):
    """A commit of the repository that git itself would not make again."""

    def __init__(self, what: str) -> None:
        super().__init__(
            what, "write it as a mail (`git format-patch -1`), mend it there, and give the mail"
        )


class DirtyWorktree(UsageError):
    """The branch to move is checked out with changes that moving it would touch."""


class BranchMoved(UsageError):
    """Compare-and-swap failed: the branch is no longer where the run began."""


class StepFailed(BackportError):
    """A step did not pass its validation."""

    exit_code = ExitCode.FAILED


class Conflict(BackportError):
    """A patch does not go on; the run waits for the user."""

    exit_code = ExitCode.CONFLICT


class MissingPrerequisite(BackportError):
    """The series needs commits that are neither in it nor on the branch."""

    exit_code = ExitCode.PREREQUISITE


class CannotTest(BackportError):
    """Neither good nor bad can be said."""

    exit_code = ExitCode.CANNOT_TEST


class Unreported(BackportError):
    """The run is done and its branch has moved, but what it was to write of that could not be written."""

    exit_code = ExitCode.UNREPORTED


class Interrupted(BackportError):
    """The user ended it."""

    exit_code = ExitCode.INTERRUPTED


class Unaccounted(BackportError):
    """A mail, a diff or a patch that was read is neither done nor left aside: a bug of ours."""

    exit_code = ExitCode.BUG

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the accounting does not add up: {what}", "nothing was moved; please report this"
        )
