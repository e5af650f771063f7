# SPDX-License-Identifier: GPL-2.0-or-later
"""Where profiles come from: those of the tool, and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path

from emu.errors import ProfileError
from emu.layout import Described
from emu.profile.data import Profile
from emu.profile.read import parse_profile

MAX_SIZE = 1 << 20


def builtin_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the tool."""
    folder = resources.files("emu").joinpath("profiles")
    return tuple(
        sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
    )


def load_profile(name_or_path: str, given: Mapping[str, int] | None = None) -> Profile:
    """A built-in profile by its name, or one from a TOML file; ``given`` as in `parse_profile`."""
    instead = tuple(sorted((given or {}).items()))
    if name_or_path in builtin_profiles():
        text = resources.files("emu").joinpath("profiles", f"{name_or_path}.toml").read_bytes()
        return parse_profile(text, name_or_path, instead)
    path = Path(name_or_path)
    try:
        if path.stat().st_size > MAX_SIZE:
            raise ProfileError(f"larger than {MAX_SIZE} bytes", name_or_path)
        text = path.read_bytes()
    except OSError as exc:
        known = ", ".join(builtin_profiles())
        raise ProfileError(
            f"no such profile: {exc.strerror}",
            name_or_path,
            f"built in: {known}; or give the path of a file",
        ) from exc
    return parse_profile(text, name_or_path, instead)


def with_layouts(profile: Profile, layouts: Described) -> Profile:
    """The profile for a tree that describes its types so; the same where it describes none."""
    if not layouts:
        return profile
    said = json.dumps(layouts.to_json(), sort_keys=True)
    digest = hashlib.sha256(f"{profile.digest} {said}".encode()).hexdigest()
    return replace(profile, layouts=layouts, digest=digest)
