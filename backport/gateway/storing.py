# SPDX-License-Identifier: GPL-2.0-or-later
"""What a disk refuses, as one error: that of the system, and libgit2's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pygit2

from backport.errors import NotStored


@contextlib.contextmanager
def refused(hint: Callable[[], str]) -> Iterator[None]:
    """Raise `NotStored` for what cannot be written or read; ``hint`` is asked for what to do then."""
    try:
        yield
    except (OSError, pygit2.GitError) as error:
        where = getattr(error, "filename", None)
        why = getattr(error, "strerror", None) or str(error)
        raise NotStored(f"{where}: {why}" if where else why, hint()) from error
