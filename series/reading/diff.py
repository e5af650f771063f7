# SPDX-License-Identifier: GPL-2.0-or-later
"""Diff text in, ``FileChange`` values out: git's extended headers in full, and plain unified diffs.

The grammar is that of ``git apply`` (apply.c: ``parse_git_diff_header``, ``parse_fragment``,
``parse_binary``).  Text between the files (a mail's signature, a diffstat) is skipped as git skips
it; whatever begins like a diff must then be one, or the error names its line.

unidiff reads the hunks (`series.reading.unidiff_hunks`).  Ours is what it lacks: all that is not a hunk,
where the hunks of a file end, and the line that an error names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

from msgspec import Struct
from msgspec.structs import replace

from series.binary import decode_line, inflate
from series.errors import SeriesError
from series.lines import split_lines
from series.model import Binary, ChangeKind, FileChange, Hunk, Oid, shown
from series.reading.paths import link_fault, path_fault, strip_components, unquote
from series.reading.unidiff_hunks import HEADER, read_hunks

_INDEX = re.compile(rb"index ([0-9a-f]{1,64})\.\.([0-9a-f]{1,64})(?: ([0-7]{6}))?\s*\Z")
_SHORTEST = 4
"""Digits of an abbreviated id, as for git (core.abbrev); fewer name nothing."""
_MOST_STRIPPED = 3
"""Context lines at the end of a file that may have been blank: patch(1) puts back as many."""
_EPOCH = re.compile(
    rb"\t(?:(?:1970-01-01|1969-12-31) \d\d:\d\d:00(?:\.0+)?(?: (?P<zone>[+-]\d{4}))?"
    rb"|Thu Jan +1 00:00:00 1970(?: \+0000)?|Thu, 0?1 Jan 1970 00:00:00 (?:GMT|\+0000)"
    rb"|\(nonexistent\))\s*\Z"
)
"""The time stamp of a file that is not there: the beginning of 1970, wherever the clock stood."""
# Between two diffs these are no words: blank lines, rulers, and what programs write above a diff.
_NO_WORDS = re.compile(
    rb"\s*\Z|[-=_*]{2,}\s*\Z|-- \Z|Index: |diff |index |RCS file: |retrieving revision |={3}|Only in "
    rb"|\S+\s*\Z|(?:old|new|deleted file|new file) mode |Property changes on|Submodule |\\ "
    rb"|similarity |[+-]{3} "
)
# What lists put below a mail, and the boundaries of its parts.
_RULER = re.compile(rb"-{5,}|--[^\s-]\S*\s*\Z|_{5,}")
_STAMP = re.compile(
    rb"(?:\t| +\d{4}-\d\d-\d\d \d\d:\d\d"
    rb"| +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:[A-Z][a-z]{2} +\d+|\d+ +[A-Z][a-z]{2} +\d{4})"
    rb" +\d\d:\d\d).*\Z",
    re.DOTALL,
)
_NULL_OID = re.compile(r"0+\Z")
_STARTS = (b"diff --git ", b"--- ", b"@@ -", b"diff --cc ", b"diff --combined ", b"Binary files ")
_BINARY = re.compile(rb"Binary files (.+) and (.+) differ\r?\n?\Z")


class DiffError(SeriesError):
    """A diff that does not parse: file, line (1-based), what is wrong."""

    def __init__(self, where: str, line: int, what: str) -> None:
        self.where, self.line, self.what = where, line, what
        super().__init__(f"{where}:{line}: {what}")


class PathError(DiffError):
    """A patch names a path that it must not touch."""

    def __init__(self, where: str, line: int, path: bytes, fault: str) -> None:
        self.path, self.fault = path, fault
        super().__init__(
            where,
            line,
            f"the path '{shown(path[:80])}' {fault}; such a patch is refused, nothing was changed",
        )


class Diff(Struct, frozen=True):
    """What a text holds: its changes, and the lines of words between two of them (number, text).

    git and patch(1) pass over such words; they may be another patch's author and message.  ``lost`` are
    the files whose diff has lost its hunks (number, path), where that is allowed; they are no changes.
    """

    changes: tuple[FileChange, ...]
    words: tuple[tuple[int, bytes], ...] = ()
    lost: tuple[tuple[int, bytes], ...] = ()


def parse_diff(
    data: bytes, where: str, *, strip: int = 1, first_line: int = 1, partial: bool = False
) -> tuple[FileChange, ...]:
    """The changes that `read_diff` finds."""
    return read_diff(data, where, strip=strip, first_line=first_line, partial=partial).changes


def read_diff(
    data: bytes, where: str, *, strip: int = 1, first_line: int = 1, partial: bool = False
) -> Diff:
    """Read all changes in ``data``.

    ``strip`` is what ``-p`` is to ``git apply``; ``first_line`` is the number that ``data``'s
    first line has in the file ``where``, for errors.  ``partial`` leaves out a file whose diff has
    lost its hunks.  Without changes when there is no diff in it.
    """
    parser = _Parser(data, where, strip, first_line, partial=partial)
    return Diff(parser.run(), tuple(parser.words), tuple(parser.lost))


class _Parser:
    """One pass over the lines; ``at`` is the next line to read."""

    def __init__(
        self, data: bytes, where: str, strip: int, first_line: int, *, partial: bool
    ) -> None:
        self.partial = partial
        self.words: list[tuple[int, bytes]] = []
        self.lost: list[tuple[int, bytes]] = []
        self.lines = split_lines(data)
        self.where, self.strip, self.first_line = where, strip, first_line
        self.at = 0

    def fail(self, what: str, at: int | None = None) -> NoReturn:
        raise DiffError(self.where, self.first_line + (self.at if at is None else at), what)

    def run(self) -> tuple[FileChange, ...]:
        changes: list[FileChange] = []
        lines = self.lines
        passed: list[int] = []
        seen = 0
        while self.at < len(lines):
            line = lines[self.at]
            if len(changes) > seen:
                if seen:
                    self.words += [(self.first_line + at, lines[at]) for at in passed]
                seen = len(changes)
                passed = []
            if not line.startswith(_STARTS):
                if not _NO_WORDS.match(line):
                    passed.append(self.at)
                self.at += 1
            elif line.startswith(b"diff --git "):
                git_change = self.git_change()
                changes += [git_change] if git_change is not None else []
            elif line.startswith(b"--- "):
                if self.plain_starts():
                    changes.append(self.plain_change())
                else:
                    self.at += 1
            elif line.startswith(b"Binary files "):
                change = self.plain_binary()
                changes += [change] if change is not None else []
                self.at += 1
            elif line.startswith(b"@@ -"):
                if HEADER.match(line):
                    self.fail("a hunk without the file header it belongs to")
                self.at += 1
            else:
                self.fail("a combined diff of a merge cannot be applied; take the commits instead")
        if len(changes) > seen > 0:
            self.words += [(self.first_line + at, lines[at]) for at in passed]
        return tuple(changes)

    # -- names

    def checked(self, path: bytes, at: int) -> bytes:
        fault = path_fault(path)
        if fault is not None:
            raise PathError(self.where, self.first_line + at, path, fault)
        return path

    def named(self, raw: bytes, strip: int) -> bytes | None:
        """The path in a header line; None for /dev/null."""
        raw = raw.rstrip(b"\n")
        quoted = unquote(raw)
        if quoted is not None:
            name = quoted[0]
        elif raw.startswith(b'"'):
            self.fail("a quoted path that is not closed or holds an unknown escape")
        else:
            name = _STAMP.sub(b"", raw).removesuffix(b"\r")
        if name == b"/dev/null":
            return None
        if strip and name.startswith(b"/"):
            raise PathError(self.where, self.first_line + self.at, name, "is absolute")
        stripped = strip_components(name, strip)
        if stripped is None:
            self.fail(
                f"the path '{shown(name[:80])}' has fewer than the {strip} components to strip (-p{strip});"
                f" -p {strip - 1} strips less"
            )
        return self.checked(stripped, self.at)

    def default_name(self, rest: bytes) -> bytes | None:
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
            left = strip_components(one, self.strip)
            if left is not None and left == strip_components(two, self.strip):
                return left
        return None

    # -- one file of a git diff

    def git_change(self) -> FileChange | None:
        """None where its hunks are lost, and that is allowed."""
        start = self.at
        default = self.default_name(self.lines[start][len(b"diff --git ") :])
        fields = _Header()
        self.at += 1
        while self.at < len(self.lines) and self.header_line(fields):
            fields.seen_any = True
            self.at += 1
        change = self.assemble(fields, default, start)
        line = self.lines[self.at] if self.at < len(self.lines) else b""
        if line.startswith(b"@@ -"):
            return replace(change, hunks=self.hunks())
        if line.startswith(b"GIT binary patch"):
            self.at += 1
            forward = self.binary()
            if forward is None:
                self.fail("a binary patch without its data")
            return replace(change, binary=True, forward=forward, reverse=self.binary())
        if line.startswith((b"Binary files ", b"Files ")) and line.rstrip().endswith(b" differ"):
            self.at += 1
            return replace(change, binary=True)
        bare = not (fields.seen_any or fields.seen_old)
        if not bare and not _says_more(change, seen_names=fields.seen_old):
            return change
        if not self.partial:
            self.fail(
                "a file's diff that ends with its first line; the patch is truncated"
                if bare
                else f"the diff of '{shown(change.path[:80])}' says that its content changes, and has no"
                " hunk; the patch is damaged, or --partial leaves it out",
                start,
            )
        self.lost.append((self.first_line + start, change.path))
        return None

    def header_line(self, to: _Header) -> bool:
        """Take one extended header line into ``to``; False when the line is none."""
        line = self.lines[self.at]
        if line.startswith(b"index "):
            match = _INDEX.match(line)
            if match is None:
                return False
            if min(len(match[1]), len(match[2])) >= _SHORTEST:
                to.old_blob, to.new_blob = Oid(match[1].decode()), Oid(match[2].decode())
            if match[3]:
                to.old_mode = to.new_mode = self.mode(match[3])
        elif line.startswith(b"--- "):
            # A signature "-- " has a dash less; "--- " here is always the old name.
            if not self.plain_starts():
                return False
            to.seen_old, to.minus = True, self.named(line[4:], self.strip)
            self.at += 1
            to.plus = self.named(self.lines[self.at][4:], self.strip)
        elif line.startswith(b"new file mode "):
            to.new_mode, to.kind = self.mode(line[14:]), "create"
        elif line.startswith(b"deleted file mode "):
            to.old_mode, to.kind = self.mode(line[18:]), "delete"
        elif line.startswith(b"old mode "):
            to.old_mode = self.file_mode(line[9:])
        elif line.startswith(b"new mode "):
            to.new_mode = self.file_mode(line[9:])
        elif line.startswith((b"rename from ", b"rename old ")):
            to.kind, to.source = "rename", self.moved(line, b"rename from ", b"rename old ")
        elif line.startswith((b"rename to ", b"rename new ")):
            to.kind, to.target = "rename", self.moved(line, b"rename to ", b"rename new ")
        elif line.startswith(b"copy from "):
            to.kind, to.source = "copy", self.moved(line, b"copy from ")
        elif line.startswith(b"copy to "):
            to.kind, to.target = "copy", self.moved(line, b"copy to ")
        elif line.startswith((b"similarity index ", b"dissimilarity index ")):
            digits = line.split(b" ")[2].strip().rstrip(b"%")
            if not digits.isdigit() or len(digits) > 3 or int(digits) > 100:
                self.fail("a similarity that is no percentage")
            to.similarity = int(digits) if line.startswith(b"sim") else None
        else:
            return False
        return True

    def moved(self, line: bytes, *keys: bytes) -> bytes | None:
        for key in keys:
            line = line.removeprefix(key)
        # These lines carry no a/ or b/ prefix.
        return self.named(line, max(self.strip - 1, 0))

    def mode(self, text: bytes) -> int:
        text = text.strip()
        if not re.fullmatch(rb"[0-7]{5,6}", text):
            self.fail("a file mode that is no octal number")
        mode = int(text, 8)
        kind = mode & 0o170000
        if kind == 0o100000:
            return 0o100755 if mode & 0o100 else 0o100644
        if kind not in (0o120000, 0o160000):
            self.fail(
                f"the mode {mode:06o} is neither a file's, a symbolic link's nor a submodule's"
            )
        return kind

    def file_mode(self, text: bytes) -> int:
        """The mode in an ``old mode`` or ``new mode`` line: git writes a change of type as two."""
        mode = self.mode(text)
        if mode & 0o170000 != 0o100000:
            self.fail(
                f"a change of mode to or from {mode:06o}: only 100644 and 100755 turn into each other;"
                " another type of file is a deletion and a creation"
            )
        return mode

    def assemble(self, got: _Header, default: bytes | None, start: int) -> FileChange:
        kind: ChangeKind = got.kind
        if got.seen_old and kind == "modify" and (got.minus is None or got.plus is None):
            self.fail("/dev/null without a 'new file mode' or 'deleted file mode' line", start)
        name = got.plus or got.minus or default
        others: tuple[bytes, ...] = ()
        old: bytes | None
        new: bytes | None
        if kind in ("rename", "copy"):
            old, new = got.source, got.target
            if old is None or new is None:
                self.fail(f"a {kind} that does not say both from where and to where", start)
            if got.seen_old and (got.minus, got.plus) != (old, new):
                if not (_ends_with(got.minus, old) and _ends_with(got.plus, new)):
                    self.fail(f"the '---' and '+++' names are not those of the {kind}", start)
                # Made in a subfolder with --relative, say: the file lines have the whole names.
                old, new = got.minus, got.plus
        elif name is None:
            self.fail("the name of the file cannot be read from its 'diff --git' line", start)
        else:
            self.checked(name, start)
            if kind == "modify":
                # An edited header: git and patch(1) go by the file lines, and by what is there.
                given = (got.plus, got.minus, default)
                others = tuple(dict.fromkeys(x for x in given if x is not None and x != name))
            elif default is not None and got.seen_old and default != name:
                self.fail("the '---' and '+++' names are not those of the 'diff --git' line", start)
            old = None if kind == "create" else name
            new = None if kind == "delete" else name
            if got.seen_old and (
                (kind == "create" and got.minus is not None)
                or (kind == "delete" and got.plus is not None)
            ):
                self.fail(f"a file to {kind} where /dev/null was expected", start)
        if new is not None and got.new_mode == 0o120000 and (fault := link_fault(new)):
            raise PathError(self.where, self.first_line + start, new, fault)
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

    # -- one file of a plain diff

    def plain_starts(self) -> bool:
        """Whether ``---`` here begins a file: ``+++`` and ``@@`` must follow (git's find_header)."""
        lines, at = self.lines, self.at
        return (
            at + 2 < len(lines)
            and lines[at + 1].startswith(b"+++ ")
            and lines[at + 2].startswith(b"@@ -")
        )

    def plain_change(self) -> FileChange:
        start = self.at
        old_line, new_line = self.lines[start], self.lines[start + 1]
        old = None if _EPOCH.search(old_line) else self.named(old_line[4:], self.strip)
        self.at += 1
        new = None if _EPOCH.search(new_line) else self.named(new_line[4:], self.strip)
        self.at += 1
        if old is None and new is None:
            self.fail("both names are /dev/null", start)
        hunks = self.hunks()
        others: tuple[bytes, ...] = ()
        if old is not None and new is not None:
            # foo.orig and foo: the shorter is the file, as for patch(1) and git apply.
            given = (old, new)
            old = new = min(old, new, key=len)
            others = tuple(name for name in given if name != new)
            if len(hunks) == 1 and hunks[0].old_start == 0 and hunks[0].old_count == 0:
                old = None
        kind: ChangeKind = "create" if old is None else "delete" if new is None else "modify"
        return FileChange(
            kind=kind,
            old_path=old,
            new_path=new,
            hunks=hunks,
            others=others if kind == "modify" else (),
        )

    def plain_binary(self) -> FileChange | None:
        """``Binary files a/x and b/x differ`` of a plain diff; None where the line is prose."""
        match = _BINARY.match(self.lines[self.at])
        if match is None or (self.strip and b"/" not in match[1] + match[2]):
            return None
        old, new = self.named(match[1], self.strip), self.named(match[2], self.strip)
        if old is not None and new is not None:
            old = new = min(old, new, key=len)
        kind: ChangeKind = "create" if old is None else "delete" if new is None else "modify"
        if old is None and new is None:
            return None
        return FileChange(kind=kind, old_path=old, new_path=new, binary=True)

    # -- hunks

    def hunks(self) -> tuple[Hunk, ...]:
        """All hunks of one file; unidiff reads them, once it is known where they end."""
        lines, blocks = self.lines, list[tuple[int, int]]()
        while self.at < len(lines) and lines[self.at].startswith(b"@@ -"):
            start = self.at
            self.pass_hunk(len(blocks) + 1)
            blocks.append((start, self.at))
        return read_hunks([lines[start:end] for start, end in blocks])

    def pass_hunk(self, number: int) -> None:
        """Go behind a hunk, or name the line at which it is not what its header says."""
        lines, start = self.lines, self.at
        match = HEADER.match(lines[start])
        if match is None:
            self.fail(f"the header of hunk {number} does not parse")
        old_left = int(match[2]) if match[2] is not None else 1
        new_left = int(match[4]) if match[4] is not None else 1
        end = len(lines)
        if max(old_left, new_left) > end - start - 1:
            follow = end - start - 1
            self.fail(
                f"hunk {number} claims {_lines(old_left)} before and {new_left} after, but only"
                f" {follow} follow{'s' if follow == 1 else ''};"
                f" {_way_on(max(old_left, new_left) - follow)}"
            )
        at = _end_of_hunk(lines, start + 1, old_left, new_left)
        if at is None:
            self.damaged(number, old_left, new_left)
        if at < end and lines[at].startswith(b"\\ "):
            at += 1
        self.refuse_left_over(number, at)
        self.at = at

    def refuse_left_over(self, number: int, at: int) -> None:
        """Name the first changed line that stands behind a hunk's counted ones and still belongs to it.

        git and patch(1) pass over it, and what it changes is lost.
        """
        lines, here = self.lines, self.at
        while at < len(lines) and lines[at][:1] in (b" ", b"+", b"-"):
            if lines[at].rstrip(b"\r\n") in (b"-- ", b"--") or self.ruled_off(at):
                return  # a mail's signature, TopGit's line
            self.at = at
            starts = lines[at].startswith(b"--- ") and self.plain_starts()
            self.at = here
            if starts:
                return
            if lines[at][:1] != b" " and not _RULER.match(lines[at]):
                self.fail(
                    f"hunk {number} counts fewer lines than it has: this one is left over", at
                )
            at += 1

    def ruled_off(self, at: int) -> bool:
        """Whether ``---`` stands there with words below, as TopGit's ``tg: (base..) branch``: no line that
        is taken away, since neither a hunk nor another one goes on behind it."""
        follows = self.lines[at + 1 : at + 2]
        return self.lines[at].rstrip() == b"---" and any(
            re.match(rb"[A-Za-z]", line) for line in follows
        )

    def damaged(self, number: int, old_left: int, new_left: int) -> NoReturn:
        """Name the line at which a hunk is not what its header says."""
        lines, start, end = self.lines, self.at, len(self.lines)
        at = start + 1
        if at < end and lines[at].startswith(b"\\"):
            self.fail("'\\ No newline' before any line", at)
        while old_left >= 0 and new_left >= 0 and (old_left or new_left) and at < end:
            op = lines[at][:1]
            if op not in (b" ", b"\n", b"+", b"-", b"\\"):
                self.fail(
                    f"hunk {number} (header on line {self.first_line + start}) is broken: this line "
                    "begins with none of ' ', '+', '-', '\\'",
                    at,
                )
            # A line without anything is an empty one of the context whose blank was lost.
            old_left -= op in (b" ", b"\n", b"-")
            new_left -= op in (b" ", b"\n", b"+")
            at += 1
        if old_left < 0 or new_left < 0:
            self.fail(f"hunk {number} holds other lines than its header counts", at - 1)
        missing = old_left if at >= end and old_left == new_left else _MOST_STRIPPED + 1
        self.fail(
            f"hunk {number} ends early: {_lines(old_left)} before and {new_left} after are missing;"
            f" {_way_on(missing)}",
            at - 1,
        )

    # -- binary

    def binary(self) -> Binary | None:
        """One ``literal N`` or ``delta N`` block with the blank line that ends it."""
        if self.at >= len(self.lines):
            return None
        start = self.at
        match = re.match(rb"(literal|delta) (\d{1,12})\r?\n?\Z", self.lines[start])
        if match is None:
            return None
        self.at += 1
        packed: list[bytes] = []
        while self.at < len(self.lines):
            line = self.lines[self.at].rstrip(b"\r\n")
            if not line:
                break
            try:
                packed.append(decode_line(line))
            except ValueError as exc:
                self.fail(f"a damaged line of binary data: {exc}")
            self.at += 1
        else:
            self.fail("the binary data is cut short: no blank line ends it", self.at - 1)
        self.at += 1
        size = int(match[2])
        try:
            data = inflate(b"".join(packed), size)
        except ValueError as exc:
            self.fail(f"damaged binary data: {exc}", start)
        return Binary("literal" if match[1] == b"literal" else "delta", size, data)


def _end_of_hunk(lines: Sequence[bytes], at: int, old: int, new: int) -> int | None:
    """The index behind the last of the lines that a hunk counts; None where they are not such lines.

    No more lines are looked at than must be there, so it never goes too far: a line counts one at most.
    """
    if lines[at : at + 1] and lines[at].startswith(b"\\"):
        return None
    while missing := max(old, new):
        ops = bytes([line[0] for line in lines[at : at + missing]])
        context, minus, plus = ops.count(b" ") + ops.count(b"\n"), ops.count(b"-"), ops.count(b"+")
        if context + minus + plus + ops.count(b"\\") != missing:
            return None
        old, new, at = old - context - minus, new - context - plus, at + missing
        if old < 0 or new < 0:
            return None
    return at


_MAX_SPACES = 512


class _Header:
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


def _blob(oid: Oid | None) -> Oid | None:
    return None if oid is None or _NULL_OID.match(oid) else oid


def _ends_with(name: bytes | None, tail: bytes) -> bool:
    return name is not None and (b"/" + name).endswith(b"/" + tail)


_EMPTY = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
"""The blob of no bytes, by SHA-1 and SHA-256."""


def _says_more(change: FileChange, *, seen_names: bool) -> bool:
    """Whether the header of a change without hunks says that there was content to change.

    A deletion may leave its lines out (git format-patch -D): its blob says which file is meant.
    """
    if change.kind == "delete":
        return False
    if seen_names or (change.similarity is not None and change.similarity < 100):
        return True
    if change.new_blob is None or change.old_blob == change.new_blob:
        return False
    return not any(empty.startswith(change.new_blob) for empty in _EMPTY)


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _way_on(missing: int) -> str:
    """What to do about a hunk that lacks some lines at the end of a file."""
    if missing <= _MOST_STRIPPED:
        return "if an editor stripped blank lines off its end, put back lines of one blank"
    return "the patch is truncated or damaged"
