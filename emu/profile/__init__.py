# SPDX-License-Identifier: GPL-2.0-or-later
"""A profile: everything about one family of cores that is data and not code.

data             what a profile holds
scenario         one call, as data
table            TOML with places for errors
scenario_tables  the scenario tables
read             the rest of the format, which stands there
load             by name or from a file
"""

from emu.profile.data import (
    PROBE,
    Accepted,
    Boot,
    Entry,
    Extern,
    FixedRegion,
    Profile,
    Variant,
    World,
)
from emu.profile.load import builtin_profiles, load_profile, with_layouts
from emu.profile.read import parse_profile, with_constant

__all__ = [
    "PROBE",
    "Accepted",
    "Boot",
    "Entry",
    "Extern",
    "FixedRegion",
    "Profile",
    "Variant",
    "World",
    "builtin_profiles",
    "load_profile",
    "parse_profile",
    "with_constant",
    "with_layouts",
]
