# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that mean the same in every command.

Command modules are imported at every start, so they import nothing heavy at their head.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backport.levels import Allow, Forge, Level, Prerequisites, Record, SandboxUse
from series.reading.choices import Keep

if TYPE_CHECKING:
    from backport.config import Settings
    from backport.gateway.repository import Repo
    from backport.planning.given import Source

RepoDir = Annotated[
    Path | None,
    typer.Option(
        "--repo", "-C", metavar="DIR", help="The repository (default: the current directory)."
    ),
]
Branch = Annotated[
    str | None,
    typer.Option(
        "--branch",
        "-b",
        metavar="NAME",
        help="The stable branch.",
        autocompletion=lambda: _branches(),
    ),
]
BranchNames = Annotated[
    list[str] | None,
    typer.Option(
        "--branch",
        "-b",
        metavar="NAME",
        help="The stable branch; may be repeated: several are worked on newest first.",
        autocompletion=lambda: _branches(),
    ),
]
OfRun = Annotated[
    str | None,
    typer.Option(
        "--branch", "-b", metavar="NAME", help="Which of several branches (see `backport status`)."
    ),
]
SeriesSrc = Annotated[
    list[str] | None,
    typer.Option(
        "--series",
        "-s",
        metavar="SRC",
        help="An mbox, a folder of patches, a quilt series file or a git range A..B; may be repeated.",
    ),
]
SeriesForEach = Annotated[
    list[str] | None,
    typer.Option(
        "--series",
        "-s",
        metavar="SRC|VERSION=SRC",
        help="An mbox, a folder of patches, a quilt series file or a git range A..B; with a version or a"
        " branch before it for that branch alone; may be repeated.",
    ),
]
Commits = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[COMMIT|A..B|FILE]...",
        help="Commits to pick, ranges, or anything else that --series takes.",
    ),
]
Upstream = Annotated[
    str | None,
    typer.Option(
        "--upstream", "-u", metavar="REF", help="The branch to look for prerequisites on."
    ),
]
SiblingBranch = Annotated[
    list[str] | None,
    typer.Option(
        "--sibling",
        metavar="NAME",
        help="A newer stable branch whose version of a patch counts; nearest first, or 'none'"
        " (default: the next ones by name).",
    ),
]
Validate = Annotated[
    Level | None,
    typer.Option("--validate", "-V", help="How far to validate each step."),
]
Build = Annotated[
    str | None,
    typer.Option(
        "--build", metavar="CMD", help="The build command (default: git config backport.build)."
    ),
]
Sandboxed = Annotated[
    SandboxUse | None,
    typer.Option(
        "--sandbox", help="Whether builds run in a sandbox; required: build nothing without."
    ),
]
Audited = Annotated[
    int | None,
    typer.Option(
        "--audit",
        metavar="N",
        min=0,
        help="Of N steps that were not built in full build one once more, in full, and compare;"
        " 0 for none (default: 20, and the last step).",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="The emulation profile: a built-in one or a file."
    ),
]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="INVARIANT:SCENARIO",
        help="A finding that does not fail a step (shell wildcards), unproven:LEVEL, doubt or proposals;"
        " may be repeated.",
    ),
]
Partial = Annotated[
    bool | None,
    typer.Option("--partial", help="Accept an incomplete series."),
]
Author = Annotated[
    str | None,
    typer.Option(
        "--author", metavar="NAME <ADDRESS>", help="The author of patches that name none."
    ),
]
Strip = Annotated[
    int | None,
    typer.Option(
        "-p",
        "--strip",
        metavar="N",
        min=0,
        max=99,
        help="Strip N leading components from paths (default: 1).",
    ),
]
Kept = Annotated[
    Keep | None,
    typer.Option("--keep", help="Which bracketed tags to keep in subjects."),
]
Trailers = Annotated[
    bool | None,
    typer.Option("--trailers", help="Add Reviewed-by and similar trailers from replies."),
]
Signoff = Annotated[
    bool | None,
    typer.Option("--signoff", help="Add your Signed-off-by to every commit."),
]
Allowed = Annotated[
    list[Allow] | None,
    typer.Option(
        "--allow",
        help="binary-stub: leave a binary file as it is where the patch has no data for it.",
    ),
]
Fuzz = Annotated[
    int | None,
    typer.Option(
        "--fuzz",
        metavar="N",
        min=0,
        max=3,
        help="Let up to N outer lines of a hunk's context differ.",
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="REV",
        help="What the patches were made on, for 3-way merges of those that do not name their blobs.",
    ),
]
Guard = Annotated[
    list[str] | None,
    typer.Option(
        "--guard", metavar="NAME", help="Set this guard for a series.conf; 'none' sets none."
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="N,M...|SUBJECT",
        help="Take these patches and what they need, nothing else: by their numbers in the plan of"
        " the whole series, or by a part of the subject; may be repeated.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", metavar="N", min=0, help="Processes for validation (0: one per processor)."
    ),
]
Json = Annotated[
    str | None,
    typer.Option("--json", "-J", metavar="FILE", help="Write the result as JSON ('-' for stdout)."),
]
Junit = Annotated[
    str | None,
    typer.Option("--junit", metavar="FILE", help="Write JUnit XML: a test case a step and level."),
]
Notes = Annotated[
    bool,
    typer.Option(
        "--notes", help="Note on each commit how far it is proven (refs/notes/backport; see show)."
    ),
]
Html = Annotated[
    str | None,
    typer.Option(
        "--html", metavar="FILE", help="Write one page that needs no network, for a person."
    ),
]
Sarif = Annotated[
    str | None,
    typer.Option("--sarif", metavar="FILE", help="Write what is wrong as SARIF 2.1.0."),
]
Annotate = Annotated[
    Forge | None,
    typer.Option(
        "--annotations",
        help="Put what is wrong at its lines in a change: github prints workflow commands, gitlab"
        " writes its code quality report.",
    ),
]
Wanted = Annotated[
    Prerequisites | None,
    typer.Option("--prerequisites", help="What to do about prerequisites that upstream has."),
]
Recorded = Annotated[
    Record | None,
    typer.Option("--record", help="The provenance to add to messages of picked commits."),
]
KeepGoing = Annotated[
    bool,
    typer.Option("--keep-going", "-k", help="Validate every step, even after one has failed."),
]


def settings_of(repo: Repo, branch: str | None, **options: object) -> Settings:
    """The settings in force: tree, git configuration, options."""
    from backport.config import load_settings, with_options
    from backport.gateway.mail_settings import mail_settings

    configured = {**mail_settings(repo), **repo.settings()}
    settings = load_settings(configured, tree_file_of(repo, branch))
    return with_options(settings, branch=branch, **options)


def tree_file_of(repo: Repo, branch: str | None) -> bytes | None:
    """The settings that the tree of the branch, or of what is checked out, comes with."""
    from backport.config import TREE_FILE

    name = branch or (repo.settings().get("branch") or (None,))[-1]
    commit = repo.branch_tip(name) if name is not None else repo.head()
    return repo.tree(commit).read(TREE_FILE) if commit is not None else None


def branch_of(settings: Settings) -> str:
    """The stable branch; it is never guessed."""
    from backport.errors import UsageError

    if settings.branch is None:
        raise UsageError("no branch given", "--branch NAME, or `git config backport.branch NAME`")
    return settings.branch


def sources_of(
    repo: Repo, settings: Settings, series: list[str] | None, commits: list[str] | None = None
) -> tuple[Source, ...]:
    """The sources named by the user: those of ``--series``, then the ``commits`` that follow the options.

    Those of the configuration, which count where neither is given, are relative to the worktree.
    """
    from backport.errors import UsageError
    from backport.planning.sources import find_source

    given = [*(series or ()), *(commits or ())]
    if given:
        return tuple(find_source(repo, src) for src in given)
    if not settings.series:
        raise UsageError(
            "no series given",
            "name commits, A..B, or --series SRC (an mbox, a folder or a quilt series file)",
        )
    return tuple(find_source(repo, src, repo.top) for src in settings.series)


def _branches() -> list[str]:
    from backport.commands.here import open_repo
    from backport.errors import NotARepository

    try:
        return sorted(open_repo().branches())
    except NotARepository:
        return []
