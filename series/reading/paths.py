# SPDX-License-Identifier: GPL-2.0-or-later
"""Which paths a patch may name.  A patch is a stranger's: every path is hostile until checked here.

The rules are those of git's ``verify_path`` with ``core.protectNTFS`` and ``core.protectHFS`` on,
because the tree that we build may be checked out on any system.
"""

from __future__ import annotations

import re

_MAX_PATH = 4096
_MAX_NAME = 255
"""Bytes of one component: no file system in use takes more."""
_MAX_DEPTH = 256
_PLAIN = re.compile(rb"[A-Za-z0-9_+-][A-Za-z0-9_+.-]*(?:/[A-Za-z0-9_+-][A-Za-z0-9_+.-]*)*\Z")
# Code points that HFS+ drops from names (git's utf8.c, next_hfs_char): ".g<U+200C>it" is ".git".
_HFS_IGNORED = re.compile(
    rb"\xe2\x80[\x8c-\x8f\xaa-\xae]|\xe2\x81[\xaa-\xaf]|\xef\xbb\xbf", re.DOTALL
)
# The short names that NTFS may give to .gitmodules (git's path.c, is_ntfs_dotgitmodules).
_SHORT_MODULES = re.compile(rb"(?:gitmod~[1-4]|g(?:i(?:7(?:e(?:ba?)?)?)?)?~[1-9][0-9]*)\Z")
_PREFIXES = tuple(b"%c/" % letter for letter in b"abciow12")
"""What git puts before names (diff.mnemonicPrefix, git diff --no-index)."""
_ESCAPED = re.compile(rb'\\([abtnvfr"\\]|[0-3][0-7][0-7])')
_ESCAPES = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
    b'"': b'"',
    b"\\": b"\\",
}


def path_fault(path: bytes) -> str | None:
    """Say why ``path`` must not be written below a tree's root; None when it may."""
    if _PLAIN.match(path) and len(path) <= _MAX_NAME and b"it~1" not in path.lower():
        return None
    if not path:
        return "is empty"
    if len(path) > _MAX_PATH:
        return f"is {len(path)} bytes long"
    if b"\0" in path:
        return "holds a NUL byte"
    if path.count(b"/") >= _MAX_DEPTH:
        return f"is {path.count(b'/') + 1} components deep"
    if path.startswith(b"/"):
        return "is absolute"
    for part in path.split(b"/"):
        if part == b"..":
            return "leaves the tree with '..'"
        if part in (b"", b"."):
            return "holds an empty component or '.'"
        if len(part) > _MAX_NAME:
            return f"holds a component of {len(part)} bytes"
        # On Windows a backslash parts names, too (core.protectNTFS).
        for name in part.split(b"\\"):
            if name == b"..":
                return "leaves the tree with '..'"
            bare = _HFS_IGNORED.sub(b"", name).split(b":")[0].rstrip(b" .").lower()
            if bare in (b".git", b"git~1"):
                return "reaches into the repository's own '.git'"
    return None


def link_fault(path: bytes) -> str | None:
    """Say why no symbolic link may be made at ``path``; None when one may.

    git refuses a ``.gitmodules`` that is a link (verify_path, and fsck's gitmodulesSymlink), under
    any of the names that another system takes for it.
    """
    for part in path.split(b"/"):
        bare = _HFS_IGNORED.sub(b"", part).split(b":")[0].rstrip(b" .").lower()
        if bare == b".gitmodules" or _SHORT_MODULES.match(bare):
            return "is '.gitmodules', which must not be a symbolic link"
    return None


def unquote(text: bytes) -> tuple[bytes, bytes] | None:
    """Read a C-quoted path at the start of ``text``; give it and the rest, None if it is not one."""
    if not text.startswith(b'"'):
        return None
    at = 1
    while at < len(text) and text[at] != 0x22:
        at += 2 if text[at] == 0x5C else 1
    if at >= len(text):
        return None
    body = text[1:at]
    if _ESCAPED.sub(b"", body).count(b"\\"):
        return None
    return _ESCAPED.sub(_unescape, body), text[at + 1 :]


def _unescape(match: re.Match[bytes]) -> bytes:
    token = match[1]
    return _ESCAPES.get(token) or bytes((int(token, 8),))


def lacks_prefix(old: bytes, new: bytes) -> bool:
    """Whether two names of one file were written without ``a/`` and ``b/`` (diff.noprefix, svn).

    They are the same to the last byte then.  ``a/x a/x`` is a header that was edited; ``t/x`` is a test.
    """
    return old == new and b"/" in old and not old.startswith(_PREFIXES)


def strip_components(path: bytes, count: int) -> bytes | None:
    """Take ``count`` leading components off, as ``-p`` does; None when the path has too few."""
    for _ in range(count):
        _, slash, path = path.partition(b"/")
        if not slash:
            return None
        path = path.lstrip(b"/")
    return path
