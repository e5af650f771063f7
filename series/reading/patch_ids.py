# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two patches say the same thing, wherever in the file they say it.

In both, paths, modes and the lines of every hunk count; white space, line numbers, section names and
blob ids do not.  `fingerprint` is ours and only ever meets itself; `stable_patch_id` is the value of
git-patch-id(1) with ``--stable``, which ``prerequisite-patch-id:`` lines name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from series.model import FileChange

_BLANK = bytes.maketrans(b"", b"")


def fingerprint(changes: Iterable[FileChange]) -> str:
    """A digest of what the changes do; the order of the files does not matter."""
    return hashlib.sha1(b"".join(sorted(_file(change) for change in changes))).hexdigest()


def _file(change: FileChange) -> bytes:
    digest = hashlib.sha1(b"%s\0%s\0" % (change.old_path or b"", change.new_path or b""))
    if change.old_mode != change.new_mode:
        digest.update(b"%o %o\0" % (change.old_mode or 0, change.new_mode or 0))
    for hunk in change.hunks:
        for line in hunk.lines:
            digest.update(line.op + line.text.translate(_BLANK, b" \t\r\n\f\v"))
    if change.forward is not None:
        digest.update(change.forward.data)
    return digest.digest()


def stable_patch_id(changes: Iterable[FileChange]) -> str:
    """The id that ``git patch-id --stable`` gives to the diff of ``changes``.

    The sum of the files' SHA-1 digests, byte by byte with carry (git's patch-ids.c and diff.c,
    flush_one_hunk).  Changes of binary files have no id here: theirs depend on whole blobs.
    """
    total = 0
    for change in changes:
        digest = hashlib.sha1(b"".join(_git_words(change)), usedforsecurity=False).digest()
        # git adds the digests from their first byte on, so they are numbers with that byte lowest.
        total += int.from_bytes(digest, "little")
    return (total % (1 << 160)).to_bytes(20, "little").hex()


def _git_words(change: FileChange) -> Iterator[bytes]:
    """What git hashes of one file: its headers and lines without white space."""
    old = (change.old_path or change.path).translate(_BLANK, b" \t\r\n\f\v")
    new = (change.new_path or change.path).translate(_BLANK, b" \t\r\n\f\v")
    yield b"diff--gita/%sb/%s" % (old, new)
    if change.old_path is None:
        yield b"newfilemode%06o---/dev/null+++b/%s" % (change.new_mode or 0o100644, new)
    elif change.new_path is None:
        yield b"deletedfilemode%06o---a/%s+++/dev/null" % (change.old_mode or 0o100644, old)
    else:
        yield b"---a/%s+++b/%s" % (old, new)
    for hunk in change.hunks:
        for line in hunk.lines:
            yield line.op.strip() + line.text.translate(_BLANK, b" \t\r\n\f\v")
