# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypothesis strategies and builders for texts, changes and small series."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from series.lines import split_lines
from series.model import FileChange, Hunk, HunkLine, Identity, Oid, Patch

# Few different lines, so that context repeats and places are ambiguous.
LINES = st.sampled_from([b"a\n", b"b\n", b"c\n", b"{\n", b"}\n", b"\n", b"x = 1;\r\n", b"\x0c\n"])
UNIQUE = st.integers(0, 10_000).map(lambda number: b"line %d\n" % number)


@st.composite
def texts(draw: st.DrawFn, line: st.SearchStrategy[bytes] = LINES, max_size: int = 24) -> bytes:
    """A text, now and then without its last line end."""
    text = b"".join(draw(st.lists(line, max_size=max_size)))
    return text.rstrip(b"\n") if draw(st.booleans()) and text.strip(b"\n") else text


@st.composite
def edited(draw: st.DrawFn, text: bytes, line: st.SearchStrategy[bytes] = LINES) -> bytes:
    """``text`` with one to three places changed."""
    lines = split_lines(text)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines)))
        gone = draw(st.integers(0, min(3, len(lines) - at)))
        lines[at : at + gone] = draw(st.lists(line, max_size=3))
    out = b"".join(part if part.endswith(b"\n") else part + b"\n" for part in lines[:-1])
    return out + (lines[-1] if lines else b"")


def hunks(old: bytes, new: bytes, context: int = 3) -> tuple[Hunk, ...]:
    """The hunks that lead from ``old`` to ``new``."""
    before, after = split_lines(old), split_lines(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    found = []
    for group in matcher.get_grouped_opcodes(context):
        lines: list[HunkLine] = []
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [HunkLine(b" ", text) for text in before[i1:i2]]
            else:
                lines += [HunkLine(b"-", text) for text in before[i1:i2]]
                lines += [HunkLine(b"+", text) for text in after[j1:j2]]
        i, j = group[0][1], group[0][3]
        olds, news = group[-1][2] - i, group[-1][4] - j
        found.append(
            Hunk(i + 1 if olds else i, olds, j + 1 if news else j, news, b"", tuple(lines))
        )
    return tuple(found)


def change(
    path: bytes, old: bytes | None, new: bytes | None, blobs: bool = False, context: int = 3
) -> FileChange:
    """The change of one path from ``old`` to ``new``; None is absence."""
    return FileChange(
        kind="create" if old is None else "delete" if new is None else "modify",
        old_path=None if old is None else path,
        new_path=None if new is None else path,
        new_mode=0o100644 if old is None else None,
        old_blob=oid(old) if blobs and old is not None else None,
        new_blob=oid(new) if blobs and new is not None else None,
        hunks=hunks(old or b"", new or b"", context),
    )


def oid(content: bytes) -> Oid:
    """The id that git gives a blob."""
    import hashlib

    return Oid(hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())


def patch(name: str, *changes: FileChange, message: bytes | None = None) -> Patch:
    """A patch without date or numbering."""
    return Patch(
        name=name,
        author=Identity(b"A U Thor", b"author@example.org"),
        date=None,
        message=message if message is not None else name.encode() + b"\n",
        changes=changes,
    )


class DictBase:
    """A base tree from a dictionary."""

    def __init__(self, files: Mapping[bytes, bytes]) -> None:
        self.files = dict(files)

    def read(self, path: bytes) -> bytes | None:
        """Content."""
        return self.files.get(path)

    def oid(self, path: bytes) -> Oid | None:
        """Blob id."""
        content = self.files.get(path)
        return None if content is None else oid(content)

    def mode(self, path: bytes) -> int | None:
        """File mode."""
        return 0o100644 if path in self.files else None


def render(change: FileChange) -> bytes:
    """A change as git writes it."""
    old = b"a/" + (change.old_path or change.path)
    new = b"b/" + (change.new_path or change.path)
    out = [b"diff --git " + old + b" " + new + b"\n"]
    if change.kind == "create":
        out.append(b"new file mode 100644\n")
        old = b"/dev/null"
    elif change.kind == "delete":
        out.append(b"deleted file mode 100644\n")
        new = b"/dev/null"
    if change.old_blob or change.new_blob:
        zero = "0" * 40
        out.append(f"index {change.old_blob or zero}..{change.new_blob or zero}\n".encode())
    if change.hunks:
        out += [b"--- " + old + b"\n", b"+++ " + new + b"\n"]
    for hunk in change.hunks:
        out.append(
            b"@@ -%d,%d +%d,%d @@\n"
            % (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count)
        )
        for line in hunk.lines:
            out.append(line.op + line.text)
            if not line.text.endswith(b"\n"):
                out.append(b"\n\\ No newline at end of file\n")
    return b"".join(out)


@st.composite
def histories(
    draw: st.DrawFn, files: int = 2, steps: int = 5
) -> tuple[dict[bytes, bytes], Sequence[dict[bytes, bytes]]]:
    """A base and the trees after each step; every step changes something."""
    names = [b"f%d.c" % number for number in range(files)]
    base = {name: b"".join(b"%s %d\n" % (name, line) for line in range(12)) for name in names}
    tree = dict(base)
    trees = []
    for step in range(draw(st.integers(2, steps))):
        tree = dict(tree)
        name = draw(st.sampled_from(names))
        fresh = st.sampled_from([b"step %d.%d\n" % (step, number) for number in range(4)])
        after = draw(edited(tree[name], fresh))
        if after == tree[name]:
            after = tree[name] + b"end of step %d\n" % step
        tree[name] = after
        trees.append(tree)
    return base, trees


def as_patches(
    base: dict[bytes, bytes], trees: Sequence[dict[bytes, bytes]], blobs: bool = False
) -> list[Patch]:
    """The patches between the trees of a history."""
    found = []
    before = base
    for step, tree in enumerate(trees):
        changes = [
            change(name, before.get(name), tree.get(name), blobs)
            for name in sorted({*before, *tree})
            if before.get(name) != tree.get(name)
        ]
        found.append(patch(f"step {step}", *changes))
        before = tree
    return found
