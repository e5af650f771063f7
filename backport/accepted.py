# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings that the user knows and accepts: ``kind:what`` with shell wildcards.

``crash:setup_table*`` a finding of the emulation by invariant and scenario, ``regression:…`` an
operation that a step has lost, ``unproven:object`` steps of which a validator cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def is_accepted(finding: str, accepted: Sequence[str]) -> bool:
    """True when one of the patterns covers ``finding``."""
    return any(fnmatchcase(finding, pattern) for pattern in accepted)
