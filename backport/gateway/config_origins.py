# SPDX-License-Identifier: GPL-2.0-or-later
"""Where git's configuration says what it says."""

from __future__ import annotations

from backport.gateway.repository import Repo


def config_origins(repo: Repo) -> dict[str, str]:
    """The file, or ``command line``, that has the last word on each key (in lower case)."""
    found: dict[str, str] = {}
    words = repo.git("config", "--list", "-z", "--show-origin").split("\0")
    for origin, entry in zip(words[::2], words[1::2], strict=False):
        key = entry.partition("\n")[0]
        found[key] = origin.removeprefix("file:").rstrip(":")
    return found
