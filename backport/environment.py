# SPDX-License-Identifier: GPL-2.0-or-later
"""The environment as a value: read once, by the command line, and handed to what needs it.

A hook or a rebase leaves variables behind (GIT_DIR, GIT_INDEX_FILE, ...) that would send git to another
repository than the one named.  They are left out for every git that we run, and the process's own
environment stays as it is: whoever imports us keeps what he set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

_FOR_THE_USER = re.compile(
    r"GIT_(AUTHOR|COMMITTER|CONFIG|SSH|SSL|HTTP|PROXY|ASKPASS|TRACE|CEILING|EXEC_PATH|EDITOR|PAGER"
    r"|TERMINAL|PYTHON).*"
)
"""What of git's variables says who works and how, not where."""
_AGENT = re.compile(
    r"SSH_(AUTH_SOCK|AGENT_PID|ASKPASS|CONNECTION|CLIENT|TTY)|GPG_(AGENT_INFO|TTY)|SUDO_ASKPASS"
    r"|DBUS_\w+_ADDRESS|XDG_RUNTIME_DIR|DISPLAY|WAYLAND_(DISPLAY|SOCKET)|XAUTHORITY|TMUX|STY"
    r"|DOCKER_HOST|CONTAINER_HOST|KUBECONFIG|KRB5CCNAME|VSCODE_\w*(IPC|SOCK)\w*|GNOME_KEYRING_\w+"
    r"|\w+_SOCK(ET)?|LISTEN_(FDS|PID|FDNAMES)|NOTIFY_SOCKET"
)
"""Ways to something that runs as the user, outside of the sandbox."""
_SECRET = re.compile(
    r"(^|_)(TOKENS?|SECRETS?|PASSWD|PASSWORD|PASS|PASSPHRASE|CREDENTIALS?|CREDS|AUTH|COOKIES?"
    r"|APIKEY|(API|ACCESS|PRIVATE|SIGNING|ENCRYPTION|SERVICE|ACCOUNT|SSH|GPG|PGP|DEPLOY)_?KEYS?|PAT|JWT"
    r"|DSN|WEBHOOK(_URL)?)(_|$)|PASSW(OR)?D|SECRET|TOKEN|APIKEY",
    re.I,
)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_\w{20}|\bgithub_pat_\w{20}"
    r"|\bglpat-[\w-]{16}|\bxox[abprs]-|\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bsk-[\w-]{20}|\beyJ[\w-]{10,}\.eyJ"
)
"""A user and password in a URL, private keys, and tokens that say by their form what they are."""
_JOB = re.compile(r"(?!GITHUB_ACTIONS$)(GITHUB|RUNNER|ACTIONS|CI)_\w+|GITLAB_USER_\w+")
"""What GitHub and GitLab say of a job.  They are other in each, so with them no verdict of an earlier job
would hold; ``CI``, ``GITHUB_ACTIONS`` and ``GITLAB_CI`` are the same in all."""
_SEAT = re.compile(
    r"_|PWD|OLDPWD|SHLVL|TERM|TERM_\w+|TERMINFO\w*|COLUMNS|LINES|LS_COLORS|WINDOWID|WINDOW|COLORTERM"
    r"|SSH_(?:CLIENT|CONNECTION|TTY|ORIGINAL_COMMAND)|WT_(?:SESSION|PROFILE_ID)"
    r"|(?:GNOME_TERMINAL|KONSOLE|KITTY|ALACRITTY|WEZTERM|ITERM|VTE|VSCODE|TILIX|TMUX|ZELLIJ)(?:_\w+)?"
    r"|XDG_(?:SESSION|CURRENT|MENU|SEAT|VTNR)\w*|DESKTOP_(?:SESSION|STARTUP_ID)|SESSION_MANAGER"
    r"|INVOCATION_ID|JOURNAL_STREAM|HIST(?:FILE|FILESIZE|SIZE|CONTROL|IGNORE|TIMEFORMAT)"
    r"|PYTEST_(?:CURRENT_TEST|XDIST_\w+|VERSION)|COV_CORE_\w+|MAKE_TERM(?:OUT|ERR)|BACKPORT_WORKTREE"
)
"""Who sits where.  A build does not get it: a new tab of a terminal then proves nothing anew, and there is no
variable that a build could see and no verdict depended on."""
_MODULES = "PYTHONPATH"
_OWN = str(Path(__file__).parents[1])
"""Where we run from: it is named so that we are found, and a build has nothing to look for there."""
_ENGLISH = {"LANGUAGE": "C", "LC_ALL": "C"}
"""Messages of git that are shown, or searched, do not depend on the user's language."""


class Environment(Struct, frozen=True):
    """The variables of a process, by name."""

    variables: Mapping[str, str]

    @classmethod
    def copied(cls, variables: Mapping[str, str]) -> Environment:
        """What ``variables`` (``os.environ``) hold now."""
        return cls(MappingProxyType(dict(variables)))

    def get(self, name: str) -> str | None:
        """The value of a variable; None where it is not set."""
        return self.variables.get(name)

    @property
    def strays(self) -> tuple[str, ...]:
        """The variables that would send git to another repository, index or object store."""
        return tuple(
            name
            for name in self.variables
            if name.startswith("GIT_") and not _FOR_THE_USER.fullmatch(name)
        )

    @property
    def strays_hint(self) -> str:
        """What to do where a library that reads them itself finds no repository; empty without strays."""
        names = " ".join(sorted(self.strays))
        return f"`unset {names}`: that is in the environment" if names else ""

    def for_git(self) -> dict[str, str]:
        """For git: without the strays, and in English."""
        strays = set(self.strays)
        kept = {name: value for name, value in self.variables.items() if name not in strays}
        return {**kept, **_ENGLISH}

    def for_builds(self, passed: Collection[str] = ()) -> dict[str, str]:
        """For a build: nothing of git's, which says things about the user's repository, nothing of `withheld`
        and `of_the_job`, nothing of the terminal, and no way to the checkout that we ourselves run from."""
        left_out = {*self.withheld(passed), *self.of_the_job(passed)}
        found = {
            k: v
            for k, v in self.variables.items()
            if not k.startswith("GIT_")
            and k not in left_out
            and (k in passed or not _SEAT.fullmatch(k))
        }
        ours = found.get(_MODULES)
        if ours is not None and _MODULES not in passed:
            others = [x for x in ours.split(os.pathsep) if os.path.normpath(x) != _OWN]
            found[_MODULES] = os.pathsep.join(others)
            if not others:
                del found[_MODULES]
        return found

    def of_the_job(self, passed: Collection[str] = ()) -> tuple[str, ...]:
        """What says which job of a CI system this is; ``passed`` are let through."""
        return tuple(
            sorted(name for name in self.variables if _JOB.fullmatch(name) and name not in passed)
        )

    def withheld(self, passed: Collection[str] = ()) -> tuple[str, ...]:
        """What leads to the user's agents, or looks like a secret; ``passed`` are let through."""
        return tuple(
            sorted(
                name
                for name, value in self.variables.items()
                if name not in passed
                and (_AGENT.fullmatch(name) or _SECRET.search(name) or _SECRET_VALUE.search(value))
            )
        )
