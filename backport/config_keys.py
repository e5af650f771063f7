# SPDX-License-Identifier: GPL-2.0-or-later
"""Every key of ``git config backport.*``: what it may be, and what it does.

`backport config` shows them with their values, its ``--help`` without; a test holds that each setting
stands here.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from backport.levels import Allow, Level, Prerequisites, Record, SandboxUse
from series.reading.choices import Keep, QuotedCr


class Key(Struct, frozen=True):
    """One key; ``field`` is the setting's name in `config.Settings`."""

    name: str
    values: str
    meaning: str
    repeated: bool = False

    @property
    def field(self) -> str:
        """``buildTimeout`` is ``build_timeout``."""
        return "".join(f"_{x.lower()}" if x.isupper() else x for x in self.name)


def one_of(choices: type[StrEnum]) -> str:
    """The values of a choice, for a person."""
    return "|".join(choices)


KEYS = (
    Key("branch", "NAME", "the stable branch"),
    Key("upstream", "REF", "the branch to look for prerequisites on"),
    Key("series", "SRC", "the series, where no command names one", repeated=True),
    Key("sibling", "NAME|auto|none", "newer branches whose version of a patch counts", True),
    Key("build", "COMMAND", "builds the tree; without it nothing is proven"),
    Key("buildTimeout", "SECONDS", "how long one build may take"),
    Key("validate", one_of(Level), "how far each step is proven"),
    Key(
        "lint",
        "COMMAND",
        "says what is wrong with a commit's style: a mail on stdin, see provenance",
    ),
    Key("profile", "NAME|FILE", "what is emulated, and how"),
    Key("jobs", "N", "processes for validation; 0 is one per processor"),
    Key("accept", "PATTERN", "findings that do not fail a step", repeated=True),
    Key("sandbox", one_of(SandboxUse), "build in a sandbox (bubblewrap)"),
    Key("writable", "DIR", "a folder that a sandboxed build may write to", repeated=True),
    Key("readable", "PATH", "what a sandboxed build sees although it is hidden", repeated=True),
    Key(
        "passenv",
        "NAME",
        "a variable that builds get though it looks secret, or is a CI job's or a terminal's",
        repeated=True,
    ),
    Key("replay", "true|false", "build a step by the commands that it changes"),
    Key("audit", "N", "one of N steps not built in full is, and compared; 0 for none"),
    Key("cacheLimit", "MIB", "how much the cache of verdicts may take"),
    Key("notesKey", "FINGERPRINT", "a key whose notes of others count, see show", repeated=True),
    Key("versionLine", "PATH:LINE", "the line of the tree with {version}, for release"),
    Key("prerequisites", one_of(Prerequisites), "what to do about missing prerequisites"),
    Key("record", one_of(Record), "the origin line that a picked commit gets"),
    Key("signoff", "true|false", "add your Signed-off-by"),
    Key("trailers", "true|false", "add Reviewed-by and similar trailers from replies"),
    Key("partial", "true|false", "accept an incomplete series"),
    Key("author", "NAME <ADDRESS>", "the author of patches that name none"),
    Key("base", "REV", "what patches that name no blobs were made on"),
    Key("strip", "N", "leading path components to strip (default: the series', else 1)"),
    Key("fuzz", "N", "outer lines of a hunk's context that may differ, at most 3"),
    Key("guard", "NAME|none", "guards that are set for a series.conf", repeated=True),
    Key("allow", one_of(Allow), "what a pick does only when you say so", repeated=True),
    Key("keep", one_of(Keep), "which bracketed tags stay in subjects"),
    Key("scissors", "true|false", "cut a mail at its scissors line (git: mailinfo.scissors)"),
    Key("quotedCr", one_of(QuotedCr), "CR LF in encoded mails (git: mailinfo.quotedCr)"),
)
