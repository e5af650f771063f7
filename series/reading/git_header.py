# SPDX-License-Identifier: GPL-2.0-or-later
"""The extended header of one file of a git diff (apply.c: ``parse_git_diff_header``)."""

from __future__ import annotations

import re

from series.model import ChangeKind, FileChange, Oid
from series.reading.diff_lines import DiffLines
from series.reading.paths import link_fault, strip_components, unquote

_INDEX = re.compile(rb"index ([0-9a-f]{1,64})\.\.([0-9a-f]{1,64})(?: ([0-7]{6}))?\s*\Z")
_SHORTEST = 4
"""Digits of an abbreviated id, as for git (core.abbrev); fewer name nothing."""
_NULL_OID = re.compile(r"0+\Z")
_MAX_SPACES = 512


class GitHeader:
    """What the extended header lines of one file have said so far."""

    __slots__ = (
        "kind",
        "minus",
        "new_blob",
        "new_mode",
        "old_blob",
        "old_mode",
        "plus",
        "seen_any",
        "seen_old",
        "similarity",
        "source",
        "target",
    )

    def __init__(self) -> None:
        self.kind: ChangeKind = "modify"
        self.old_mode: int | None = None
        self.new_mode: int | None = None
        self.old_blob: Oid | None = None
        self.new_blob: Oid | None = None
        self.source: bytes | None = None
        self.target: bytes | None = None
        self.minus: bytes | None = None
        self.plus: bytes | None = None
        self.seen_old = False
        self.seen_any = False
        self.similarity: int | None = None


def read_header(text: DiffLines) -> tuple[FileChange, GitHeader]:
    """Read from ``diff --git`` to what is no header any more: the change without its content."""
    start = text.at
    default = _default_name(text, text.lines[start][len(b"diff --git ") :])
    fields = GitHeader()
    text.at += 1
    while text.at < len(text.lines) and _header_line(text, fields):
        fields.seen_any = True
        text.at += 1
    return _assemble(text, fields, default, start), fields


def _default_name(text: DiffLines, rest: bytes) -> bytes | None:
    """The one name that ``diff --git a/NAME b/NAME`` gives, when both sides agree."""
    rest = rest.rstrip(b"\r\n")
    quoted = unquote(rest)
    if quoted is not None:
        first, tail = quoted
        second = unquote(tail[1:])
        pairs = [(first, second[0] if second else tail[1:])]
    elif rest.endswith(b'"') and b' "' in rest:
        at = rest.index(b' "')
        second = unquote(rest[at + 1 :])
        pairs = [(rest[:at], second[0])] if second else []
    else:
        # a/NAME b/NAME: usually of one length, so that the middle is where they part.
        middle = len(rest) // 2
        pairs = [(rest[:middle], rest[middle + 1 :])]
        if rest.count(b" ") > 1 or rest[middle : middle + 1] != b" ":
            cut = [at for at in range(len(rest)) if rest[at] == 0x20]
            pairs = [(rest[:at], rest[at + 1 :]) for at in cut[:_MAX_SPACES]]
    for one, two in pairs:
        left = strip_components(one, text.strip)
        if left is not None and left == strip_components(two, text.strip):
            text.note_names(one, two, text.at)
            return left
    return None


def _header_line(text: DiffLines, to: GitHeader) -> bool:
    """Take one extended header line into ``to``; False when the line is none."""
    line = text.lines[text.at]
    if line.startswith(b"index "):
        match = _INDEX.match(line)
        if match is None:
            return False
        if min(len(match[1]), len(match[2])) >= _SHORTEST:
            to.old_blob, to.new_blob = Oid(match[1].decode()), Oid(match[2].decode())
        if match[3]:
            to.old_mode = to.new_mode = _mode(text, match[3])
    elif line.startswith(b"--- "):
        # A signature "-- " has a dash less; "--- " here is always the old name.
        if not text.plain_starts():
            return False
        to.seen_old, to.minus = True, text.named(line[4:], text.strip)
        text.at += 1
        to.plus = text.named(text.lines[text.at][4:], text.strip)
    elif line.startswith(b"new file mode "):
        to.new_mode, to.kind = _mode(text, line[14:]), "create"
    elif line.startswith(b"deleted file mode "):
        to.old_mode, to.kind = _mode(text, line[18:]), "delete"
    elif line.startswith(b"old mode "):
        to.old_mode = _file_mode(text, line[9:])
    elif line.startswith(b"new mode "):
        to.new_mode = _file_mode(text, line[9:])
    elif line.startswith((b"rename from ", b"rename old ")):
        to.kind, to.source = "rename", _moved(text, line, b"rename from ", b"rename old ")
    elif line.startswith((b"rename to ", b"rename new ")):
        to.kind, to.target = "rename", _moved(text, line, b"rename to ", b"rename new ")
    elif line.startswith(b"copy from "):
        to.kind, to.source = "copy", _moved(text, line, b"copy from ")
    elif line.startswith(b"copy to "):
        to.kind, to.target = "copy", _moved(text, line, b"copy to ")
    elif line.startswith((b"similarity index ", b"dissimilarity index ")):
        digits = line.split(b" ")[2].strip().rstrip(b"%")
        if not digits.isdigit() or len(digits) > 3 or int(digits) > 100:
            text.refuse("a similarity that is no percentage")
        to.similarity = int(digits) if line.startswith(b"sim") else None
    else:
        return False
    return True


def _moved(text: DiffLines, line: bytes, *keys: bytes) -> bytes | None:
    for key in keys:
        line = line.removeprefix(key)
    # These lines carry no a/ or b/ prefix.
    return text.named(line, max(text.strip - 1, 0))


def _mode(text: DiffLines, digits: bytes) -> int:
    digits = digits.strip()
    if not re.fullmatch(rb"[0-7]{5,6}", digits):
        text.refuse("a file mode that is no octal number")
    mode = int(digits, 8)
    kind = mode & 0o170000
    if kind == 0o100000:
        return 0o100755 if mode & 0o100 else 0o100644
    if kind not in (0o120000, 0o160000):
        text.refuse(f"the mode {mode:06o} is neither a file's, a symbolic link's nor a submodule's")
    return kind


def _file_mode(text: DiffLines, digits: bytes) -> int:
    """The mode in an ``old mode`` or ``new mode`` line: git writes a change of type as two."""
    mode = _mode(text, digits)
    if mode & 0o170000 != 0o100000:
        text.refuse(
            f"a change of mode to or from {mode:06o}: only 100644 and 100755 turn into each other;"
            " another type of file is a deletion and a creation"
        )
    return mode


def _assemble(text: DiffLines, got: GitHeader, default: bytes | None, start: int) -> FileChange:
    kind: ChangeKind = got.kind
    if got.seen_old and kind == "modify" and (got.minus is None or got.plus is None):
        text.refuse("/dev/null without a 'new file mode' or 'deleted file mode' line", start)
    name = got.plus or got.minus or default
    others: tuple[bytes, ...] = ()
    old: bytes | None
    new: bytes | None
    if kind in ("rename", "copy"):
        old, new = got.source, got.target
        if old is None or new is None:
            text.refuse(f"a {kind} that does not say both from where and to where", start)
        if got.seen_old and (got.minus, got.plus) != (old, new):
            if not (_ends_with(got.minus, old) and _ends_with(got.plus, new)):
                text.refuse(f"the '---' and '+++' names are not those of the {kind}", start)
            # Made in a subfolder with --relative, say: the file lines have the whole names.
            old, new = got.minus, got.plus
    elif name is None:
        text.refuse("the name of the file cannot be read from its 'diff --git' line", start)
    else:
        text.checked(name, start)
        if kind == "modify":
            # An edited header: git and patch(1) go by the file lines, and by what is there.
            given = (got.plus, got.minus, default)
            others = tuple(dict.fromkeys(x for x in given if x is not None and x != name))
        elif default is not None and got.seen_old and default != name:
            text.refuse("the '---' and '+++' names are not those of the 'diff --git' line", start)
        old = None if kind == "create" else name
        new = None if kind == "delete" else name
        if got.seen_old and (
            (kind == "create" and got.minus is not None)
            or (kind == "delete" and got.plus is not None)
        ):
            text.refuse(f"a file to {kind} where /dev/null was expected", start)
    if new is not None and got.new_mode == 0o120000 and (fault := link_fault(new)):
        text.refuse_path(new, fault, start)
    return FileChange(
        kind=kind,
        old_path=old,
        new_path=new,
        old_mode=None if kind == "create" else got.old_mode,
        new_mode=None if kind == "delete" else got.new_mode,
        old_blob=_blob(got.old_blob),
        new_blob=_blob(got.new_blob),
        similarity=got.similarity,
        others=others,
    )


def _blob(oid: Oid | None) -> Oid | None:
    return None if oid is None or _NULL_OID.match(oid) else oid


def _ends_with(name: bytes | None, tail: bytes) -> bool:
    return name is not None and (b"/" + name).endswith(b"/" + tail)
