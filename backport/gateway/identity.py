# SPDX-License-Identifier: GPL-2.0-or-later
"""Who commits and when, as git would have it."""

from __future__ import annotations

import os
import re
import time

from msgspec import Struct

from backport.errors import UsageError
from backport.gateway.git_runner import GitRunner
from series.model import Identity, When


class Signature(Struct, frozen=True):
    """An identity at a moment, as a commit holds it."""

    who: Identity
    when: When

    def raw(self) -> bytes:
        """As it stands in a commit object: ``name <email> seconds +hhmm``."""
        return b"%s <%s> %d %s" % (
            self.who.name,
            self.who.email,
            self.when.seconds,
            self.when.zone or zone_of(self.when.offset),
        )


def zone_of(offset: int) -> bytes:
    """``+hhmm`` of minutes."""
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset)
    return f"{sign}{minutes // 60:02}{minutes % 60:02}".encode()


def committer(git: GitRunner) -> Signature:
    """Who commits, and the moment that every commit of this run carries."""
    who: list[str] = []
    for variable in ("NAME", "EMAIL"):
        value = git.environment.get(f"GIT_COMMITTER_{variable}")
        keys = [f"{section}.{variable.lower()}" for section in ("committer", "user")]
        if value is None:
            known = [git.config[key][-1] for key in keys if key in git.config]
            value = known[0] if known else git.environment.get(variable)
        if not value:
            raise UsageError(
                f"git does not know who you are: {keys[-1]} is not set",
                f"git config --global {keys[-1]} ...",
            )
        value = re.sub(r"[<>\n\0]", "", value).strip()
        if not value:
            raise UsageError(f"git does not take an empty {variable.lower()} for who you are")
        who.append(value)
    identity = Identity(*(os.fsencode(x) for x in who))
    return Signature(identity, _now(git))


def _now(git: GitRunner) -> When:
    given = git.environment.get("GIT_COMMITTER_DATE")
    if given is None:
        now = time.localtime()
        return When(int(time.mktime(now)), now.tm_gmtoff // 60)
    match = re.fullmatch(r"@?(\d+)(?: ([+-])(\d\d)(\d\d))?", given.strip())
    if match is None:
        match = re.search(r"> (\d+) ([+-])(\d\d)(\d\d)$", git("var", "GIT_COMMITTER_IDENT"))
    if match is None:
        raise UsageError(f"GIT_COMMITTER_DATE={given!r} is not a date git understands")
    sign = -1 if match[2] == "-" else 1
    offset = sign * (60 * int(match[3] or 0) + int(match[4] or 0))
    zone = "".join(match.groups(default="")[1:]).encode()
    return When(int(match[1]), offset, zone if zone != zone_of(offset) else b"")
