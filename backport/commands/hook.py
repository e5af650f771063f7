# SPDX-License-Identifier: GPL-2.0-or-later
"""``hook``: put ``backport check`` before every commit of a repository."""

from __future__ import annotations

from typing import Annotated

import typer

from backport.commands import options as opt
from backport.commands.parsing import Command

app = typer.Typer(no_args_is_help=True, help="Check what is staged before every commit.")


@app.command("install", cls=Command)
def install(
    repo: opt.RepoDir = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Keep an existing hook, and run it before ours.")
    ] = False,
) -> None:
    """Install the pre-commit hook."""
    from backport.commands.here import open_repo
    from backport.gateway.hooks import install as install_hook

    print(f"installed {install_hook(open_repo(repo), force=force)}")


@app.command("uninstall", cls=Command)
def uninstall(repo: opt.RepoDir = None) -> None:
    """Remove the pre-commit hook; one that was there before comes back."""
    from backport.commands.here import open_repo
    from backport.gateway.hooks import uninstall as uninstall_hook

    print(f"removed {uninstall_hook(open_repo(repo))}")
