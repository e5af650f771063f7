# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what is staged concerns `check` at all, found without loading what checks it.

Most commits do not.  This answers for those alone, and for anything that it does not know well (patches, a
conflict in the index, settings of the tree) it answers nothing: then `checks.check_staged` looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from backport.config_keys import KEYS
from backport.gateway.stage import Stage
from backport.levels import NO_BUILD, NOT_ASKED, Level
from backport.validate.reach import documents_alone, is_patch, reaches_core, series_near
from emu.core_source import core_source
from emu.errors import EmuError

NOTHING = "nothing that the core is built from changed"
NO_CORE = "nothing that reaches the core"
DOCUMENTS = "documents alone, which no build reads"
_KNOWN = frozenset(key.name.lower() for key in KEYS)
_DEFAULT = "xen-pv-shim-4.10"
_TREE_FILE = b"backport.toml"


class Unconcerned(Struct, frozen=True):
    """So many paths are staged, and why none of them is looked at."""

    changed: int
    why: str


class _Code(Struct, frozen=True):
    """What is staged, as `reach.Files`."""

    stage: Stage

    def paths(self) -> Iterable[bytes]:
        return self.stage.paths()

    def read(self, path: bytes) -> bytes | None:
        return self.stage.read(path)


def unconcerned(
    folder: Path,
    env: Mapping[str, str],
    validate: str | None,
    build: str | None,
    profile: str | None,
) -> Unconcerned | None:
    """Why nothing that is staged need be looked at; None where that is not certain.  The last three are
    options, which count before the configuration."""
    stage = Stage(folder, env)
    changed, settings = stage.changed(), stage.settings()
    if changed is None or settings is None or any(map(is_patch, changed)):
        return None
    if not settings.keys() <= _KNOWN:
        return None
    said = {"validate": validate, "build": build, "profile": profile}
    chosen = {name: said[name] or settings.get(name, (None,))[-1] for name in said}
    level = chosen["validate"]
    if level in (Level.BUILD, Level.BOOT) or (level == Level.OBJECT and chosen["build"] is None):
        return None
    with stage.open():
        committed = settings.get("branch", ("HEAD",))[-1]
        if stage.read(_TREE_FILE, committed) is not None:
            return None
        # Nothing is read at a path with a newline.
        if any(b"\n" in path or stage.read(path) is not None for path in series_near(changed)):
            return None
        if not changed:
            return Unconcerned(0, NOTHING)
        if level == Level.NONE or chosen["build"] is None:
            return Unconcerned(len(changed), NOT_ASKED if level == Level.NONE else NO_BUILD)
        try:
            core = core_source(chosen["profile"] or _DEFAULT).encode()
        except EmuError:
            return None
        if level is None and stage.read(core) is None:
            return Unconcerned(len(changed), DOCUMENTS) if documents_alone(changed) else None
        reaching = reaches_core(_Code(stage), core, changed)
    return None if reaching else Unconcerned(len(changed), NO_CORE)
