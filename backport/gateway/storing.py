# SPDX-License-Identifier: GPL-2.0-or-later
"""What a disk refuses, as one error: that of the system, and libgit2's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pygit2

from backport.errors import MissingObject, NotStored


@contextlib.contextmanager
def refused(hint: Callable[[], str]) -> Iterator[None]:
    """Raise `NotStored` for what cannot be written or read, `MissingObject` for an object that is not there;
    ``hint`` is asked for what to do after the first."""
    try:
        yield
    except pygit2.NotFoundError as error:
        raise MissingObject(str(error).strip("'\"")) from error
    except (OSError, pygit2.GitError) as error:
        where = getattr(error, "filename", None)
        why = getattr(error, "strerror", None) or str(error)
        raise NotStored(f"{where}: {why}" if where else why, hint()) from error
