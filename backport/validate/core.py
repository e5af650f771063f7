# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a tree has the core that would be emulated; one without it is validated by its build."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from backport.config import Settings, level_of
from backport.gateway.trees import TreeView
from backport.levels import Level
from emu.core_source import core_source


def settled(settings: Settings, trees: Iterable[TreeView]) -> tuple[Settings, str]:
    """The settings with the level that these trees allow where the user has named none, and a phrase for it.

    Where one of them has the core, those without it have none *yet*: the series brings it.
    """
    level, phrase = level_of(settings)
    if settings.validate is not None or level is not Level.OBJECT:
        return settings, phrase
    source = core_source(settings.profile)
    if any(tree.entry(source.encode()) is not None for tree in trees):
        return settings, phrase
    built = replace(settings, validate=Level.BUILD)
    return built, f"{level_of(built)[1]}; no tree here has {source}, so there is no core to emulate"
