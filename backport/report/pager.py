# SPDX-License-Identifier: GPL-2.0-or-later
"""Long output through the user's pager, as git pages its own: on a terminal only, and as git finds it.

``GIT_PAGER``, ``core.pager``, ``PAGER``, then less; ``cat`` or nothing is no pager.  Less ends by itself
where one screen holds everything (git sets ``LESS=FRX``, too).
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator, Mapping

from backport.environment import Environment
from backport.report.page import page_width, through_pager

_DEFAULTS = {"LESS": "FRX", "LV": "-c"}


@contextlib.contextmanager
def paged(environment: Environment, config: Mapping[str, tuple[str, ...]]) -> Iterator[None]:
    """Send what is printed on stdout to the pager, if there is one to be had."""
    command = _pager(environment, config)
    if not sys.stdout.isatty() or command in ("", "cat"):
        yield
        return
    variables = {**_DEFAULTS, **environment.variables}
    encoding = sys.stdout.encoding or "utf-8"
    with through_pager(page_width()), contextlib.redirect_stdout(io.StringIO()) as text:
        yield
    pager = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, env=variables)
    data: bytes | None = text.getvalue().encode(encoding, "backslashreplace")
    while pager.poll() is None:
        # Who leaves the pager has seen enough, and an interrupt is the pager's.
        with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
            pager.communicate(data)
        data = None


def _pager(environment: Environment, config: Mapping[str, tuple[str, ...]]) -> str:
    own = environment.get("GIT_PAGER")
    if own is not None:
        return own
    if "core.pager" in config:
        return config["core.pager"][-1]
    other = environment.get("PAGER")
    return other if other is not None else "less"
