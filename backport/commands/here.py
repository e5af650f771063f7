# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the user stands: his environment, read here alone, and the repository that he is in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from backport.environment import Environment

if TYPE_CHECKING:
    from backport.gateway.repository import Repo


def environment() -> Environment:
    """The variables that the user, or a hook, has set."""
    return Environment.copied(os.environ)


def open_repo(path: Path | None = None) -> Repo:
    """The repository that holds ``path`` (default: where the process stands)."""
    from backport.gateway.repository import open_repo as opened

    return opened(path, environment())
