# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files say how a tree is built."""

from __future__ import annotations

import re

_BUILD_FILE = re.compile(
    rb"(^|/)(Makefile[^/]*|Kbuild|Kconfig[^/]*|[^/]*defconfig|[^/]*\.(mk|config|lds|lds\.S|cmake))$"
)


def is_build_file(path: bytes) -> bool:
    """True for what says how the tree is built: makefiles, Kconfig, linker scripts."""
    return bool(_BUILD_FILE.search(path))
