# SPDX-License-Identifier: GPL-2.0-or-later
"""``sample``: the embedded tree, to try everything on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    directory: Annotated[
        Path, typer.Argument(help="A folder that does not exist yet, or is empty.")
    ],
) -> None:
    """Make a repository with a small PVH shim, a stable branch, and a posted series."""
    from backport.errors import UsageError
    from backport.sample.write import write_sample

    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} exists and is not an empty folder", "choose another one")
    write_sample(directory)
    print(f"{directory}: branches stable-4.10 and master; posted series in {directory}/posted:")
    for name in sorted(p.name for p in (directory / "posted").glob("*.mbox")):
        print(f"  {name}")
    print(f"then: cd {directory} && backport apply --branch stable-4.10")
