# SPDX-License-Identifier: GPL-2.0-or-later
"""``hook``: put ``backport check`` before every commit, or push, of a repository."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt
from backport.commands.parsing import Command

app = typer.Typer(no_args_is_help=True, help="Check before every commit, or before every push.")


@app.command("install", cls=Command)
def install(
    repo: opt.RepoDir = None,
    pre_commit: Annotated[
        bool, typer.Option("--pre-commit", help="Check what is staged (the default).")
    ] = False,
    commit_msg: Annotated[
        bool,
        typer.Option("--commit-msg", help="Check the commits that the message names."),
    ] = False,
    pre_push: Annotated[
        bool, typer.Option("--pre-push", help="Check every commit that is pushed.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Keep an existing hook, and run it before ours.")
    ] = False,
) -> None:
    """Install the pre-commit hook, or those that are named."""
    from backport.commands.here import open_repo
    from backport.gateway.hooks import Hook
    from backport.gateway.hooks import install as install_hooks

    named = {Hook.PRE_COMMIT: pre_commit, Hook.COMMIT_MSG: commit_msg, Hook.PRE_PUSH: pre_push}
    chosen = [hook for hook, wanted in named.items() if wanted] or [Hook.PRE_COMMIT]
    for path in install_hooks(open_repo(repo), chosen, force=force):
        print(f"installed {path}")


@app.command("uninstall", cls=Command)
def uninstall(repo: opt.RepoDir = None) -> None:
    """Remove our hooks; those that were there before come back."""
    from backport.commands.here import open_repo
    from backport.gateway.hooks import uninstall as uninstall_hooks

    for path in uninstall_hooks(open_repo(repo)):
        print(f"removed {path}")
