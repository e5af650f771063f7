# SPDX-License-Identifier: GPL-2.0-or-later
"""The grammar of diffs, and what is no diff."""

from __future__ import annotations

import base64
import time
import zlib

import pytest

from series.model import Binary, HunkLine
from series.reading.diff import parse_diff
from series.reading.diff_lines import DiffError, PathError

HEAD = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n"


def test_plain_modification_with_mail_signature() -> None:
    (found,) = parse_diff(
        b"diff --git a/x/y.c b/x/y.c\nindex 1234567..89abcde 100755\n--- a/x/y.c\n+++ b/x/y.c\n"
        b"@@ -3,2 +3,3 @@ int f(void)\n a\n+b\n c\n-- \n2.39.5\n\n",
        "p",
    )
    assert (found.kind, found.old_path, found.new_path) == ("modify", b"x/y.c", b"x/y.c")
    assert (found.old_blob, found.new_blob, found.new_mode) == ("1234567", "89abcde", 0o100755)
    assert found.hunks[0].section == b"int f(void)"
    assert found.hunks[0].lines == (
        HunkLine(b" ", b"a\n"),
        HunkLine(b"+", b"b\n"),
        HunkLine(b" ", b"c\n"),
    )


@pytest.mark.parametrize(
    ("text", "kind", "old", "new"),
    [
        (b"similarity index 100%\nrename from p q\nrename to r", "rename", b"p q", b"r"),
        (b"similarity index 100%\ncopy from p\ncopy to d/r", "copy", b"p", b"d/r"),
        (b"old mode 100644\nnew mode 100755", "modify", b"f", b"f"),
        (b"new file mode 100644\nindex 0000000..e69de29", "create", None, b"f"),
        (b"deleted file mode 100644\nindex e69de29..0000000", "delete", b"f", None),
    ],
)
def test_headers_without_hunks(
    text: bytes, kind: str, old: bytes | None, new: bytes | None
) -> None:
    (found,) = parse_diff(b"diff --git a/f b/f\n" + text + b"\n", "p")
    assert (found.kind, found.old_path, found.new_path) == (kind, old, new)


def test_names_with_blanks_and_quotes() -> None:
    found = parse_diff(
        b"diff --git a/a b b/a b\nold mode 100644\nnew mode 100755\n"
        b'diff --git "a/\\303\\266" "b/\\303\\266"\nold mode 100644\nnew mode 100755\n'
        b'diff --git a/\xc3\xb6 "b/\\303\\266"\nold mode 100644\nnew mode 100755\n'
        b'diff --git "a/t\\tab" "b/t\\tab"\n--- "a/t\\tab"\n+++ "b/t\\tab"\n@@ -1 +1 @@\n-a\n+b\n',
        "p",
    )
    assert [one.path for one in found] == [b"a b", b"\xc3\xb6", b"\xc3\xb6", b"t\tab"]


def test_plain_diff_of_patch_and_quilt() -> None:
    found = parse_diff(
        b"Index: x/new.c\n====\n--- /dev/null\n+++ b/x/new.c\n@@ -0,0 +1 @@\n+a\n"
        b"--- a/old.c\t2018-01-01 10:00:00.0 +0000\n+++ b/old.c\t1970-01-01 00:00:00.0 +0000\n"
        b"@@ -1 +0,0 @@\n-a\n"
        b"--- linux/m.c.orig\t2018-01-01\n+++ linux/m.c\t2018-01-01\n@@ -1 +1 @@\n-a\n+b\n",
        "p",
    )
    assert [(one.kind, one.path) for one in found] == [
        ("create", b"x/new.c"),
        ("delete", b"old.c"),
        ("modify", b"m.c"),
    ]


def test_no_strip() -> None:
    (found,) = parse_diff(b"--- x/m.c\n+++ x/m.c\n@@ -1 +1 @@\n-a\n+b\n", "p", strip=0)
    assert found.path == b"x/m.c"


def test_line_ends_are_content() -> None:
    (found,) = parse_diff(
        HEAD + b"@@ -1,3 +1,3 @@\n-a\r\n+b\rc\r\n \x0c\n\n\\ No newline at end of file\n", "p"
    )
    assert [line.text for line in found.hunks[0].lines] == [b"a\r\n", b"b\rc\r\n", b"\x0c\n", b""]


def test_no_newline_on_one_side() -> None:
    (found,) = parse_diff(HEAD + b"@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n", "p")
    assert found.hunks[0].before == (b"a",)
    assert found.hunks[0].after == (b"a\n",)


def test_modes_become_those_git_stores() -> None:
    (found,) = parse_diff(b"diff --git a/f b/f\nnew file mode 100664\n", "p")
    assert found.new_mode == 0o100644


def _packed(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    packed = zlib.compress(data)
    out = [b"%s %d\n" % (kind, len(data) if size is None else size)]
    for at in range(0, len(packed), 52):
        part = packed[at : at + 52]
        mark = bytes((len(part) + 64 if len(part) <= 26 else len(part) + 70,))
        out.append(mark + base64.b85encode(part, pad=True) + b"\n")
    return b"".join(out) + b"\n"


BINARY = b"diff --git a/f b/f\nindex 1234567..89abcde 100644\nGIT binary patch\n"


def test_binary_both_ways() -> None:
    (found,) = parse_diff(
        BINARY + _packed(b"literal", b"\0" * 300) + _packed(b"delta", b"\x01\x02") + b"-- \n2.39\n",
        "p",
    )
    assert found.forward == Binary("literal", 300, b"\0" * 300)
    assert found.reverse == Binary("delta", 2, b"\x01\x02")
    assert found.binary


def test_binary_without_data() -> None:
    (found,) = parse_diff(
        b"diff --git a/f b/f\nindex 1234567..89abcde\nBinary files a/f and b/f differ\n", "p"
    )
    assert found.binary
    assert found.forward is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + b"@@ -1,1000000 +1,1000000 @@\n a\n", 4, "claims 1000000 lines"),
        (HEAD + b"@@ -1,5 +1,5 @@\n a\n b\n c\n d\n-- \n2.39\n", 10, "broken"),
        (HEAD + b"@@ -1,3 +1,3 @@\n a\n-b\n+c\n", 7, "ends early"),
        (HEAD + b"@@ -1,2 +1,2 @@\n a\n-b\n+c\n+d\n", 8, "counts fewer lines"),
        (HEAD + b"@@ -1,1 +1,1 @@\n a\n-b\n", 6, "counts fewer lines"),
        (HEAD + b"@@ -1,2 +1,1 @@\n-a\n+b\n+c\n", 7, "other lines"),
        (HEAD + b"@@ -1,2 +1,2 @@\n-a\nxb\n", 6, "begins with none"),
        (HEAD + b"@@ -1,99999999999 +1 @@\n a\n", 4, "does not parse"),
        (b"@@ -1 +1 @@\n-a\n+b\n", 1, "without the file header"),
        (b"diff --cc f\nindex 1,2..3\n", 1, "merge"),
        (b"diff --git a/f b/f\nnew file mode 040000\n", 2, "neither a file"),
        (b"diff --git a/f b/f\nold mode xyz\n", 2, "octal"),
        (b"diff --git a/f b/g\nold mode 100644\n", 1, "cannot be read"),
        (b"diff --git a/f b/g\nrename from f\n", 1, "both"),
        (b"diff --git a/f b/f\nsimilarity index 400%\n", 2, "percentage"),
        (b"diff --git a/f b/f\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+b\n", 1, "new file mode"),
        (b"--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+b\n", 1, "both names"),
        (b'--- "a/x\n+++ b/x\n@@ -0,0 +1 @@\n+b\n', 1, "not closed"),
        (b"--- x\n+++ x\n@@ -1 +1 @@\n-a\n+b\n", 1, "fewer than the 1"),
        (BINARY + b"literal 5\nzzz\n\n", 5, "damaged line"),
        (BINARY + b"literal 5\n", 4, "cut short"),
        (BINARY + b"nonsense\n", 4, "without its data"),
        (BINARY + _packed(b"literal", b"abc", 4), 4, "another size"),
        (BINARY + _packed(b"literal", b"a" * 5000, 2), 4, "another size"),
        (BINARY + _packed(b"literal", b"abc", 99999999999), 4, "limit"),
        (BINARY + _packed(b"literal", b"abc", 1 << 27), 4, "cannot hold"),
    ],
)
def test_no_diff(text: bytes, line: int, words: str) -> None:
    with pytest.raises(DiffError, match=words) as info:
        parse_diff(text, "some.patch")
    assert (info.value.where, info.value.line) == ("some.patch", line)
    assert str(info.value).startswith(f"some.patch:{line}: ")


@pytest.mark.parametrize(
    "name", [b"../x", b"a/../../x", b".git/config", b"sub/.Git/x", b"git~1/x", b"x//y"]
)
@pytest.mark.parametrize(
    "form",
    [
        b"diff --git a/%s b/%s\nnew file mode 100644\n",
        b"diff --git a/f b/g\nsimilarity index 100%%\nrename from f\nrename to %s\n",
        b"diff --git a/f b/g\nsimilarity index 100%%\ncopy from %s\ncopy to g\n",
        b"--- a/f\n+++ b/%s\n@@ -1 +1 @@\n-a\n+b\n",
    ],
)
def test_paths_that_leave_the_tree(name: bytes, form: bytes) -> None:
    with pytest.raises(PathError, match="refused"):
        parse_diff(form.replace(b"%s", name).replace(b"%%", b"%"), "p")


def test_absolute_path() -> None:
    with pytest.raises(PathError, match="absolute"):
        parse_diff(b"--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n", "p")


def test_a_long_header_line_is_cheap() -> None:
    text = b"diff --git " + b"a b " * 50_000 + b"\nold mode 100644\n"
    start = time.perf_counter()
    with pytest.raises(DiffError):
        parse_diff(text, "p")
    assert time.perf_counter() - start < 60  # a quadratic reader takes many minutes


def test_garbage_is_no_diff() -> None:
    assert parse_diff(bytes(range(256)) * 50, "p") == ()


@pytest.mark.parametrize("kind", [b"120000", b"160000"])
@pytest.mark.parametrize("key", [b"old", b"new"])
def test_only_files_change_their_mode(key: bytes, kind: bytes) -> None:
    """As git apply: "new mode (120000) of f does not match old mode (100644)"."""
    text = b"diff --git a/f b/f\nold mode 100644\nnew mode 100644\n"
    with pytest.raises(DiffError, match="only 100644 and 100755") as info:
        parse_diff(text.replace(key + b" mode 100644", key + b" mode " + kind), "p")
    assert info.value.line == (2 if key == b"old" else 3)


@pytest.mark.parametrize("name", [b".gitmodules", b"sub/.GitModules", b"gitmod~1", b"gi7eb~12"])
def test_no_gitmodules_behind_a_link(name: bytes) -> None:
    """git fsck's gitmodulesSymlink; verify_path refuses it as well."""
    text = b"diff --git a/%s b/%s\nnew file mode 120000\n" % (name, name)
    with pytest.raises(PathError, match="must not be a symbolic link"):
        parse_diff(text, "p")
    (found,) = parse_diff(text.replace(b"120000", b"100644"), "p")
    assert found.path == name
