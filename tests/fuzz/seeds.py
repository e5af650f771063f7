# SPDX-License-Identifier: GPL-2.0-or-later
"""What mutation begins with, made by the builders of the other tests, and the words of each format."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from msgspec.structs import replace

from backport.builds.recorded import storage
from backport.builds.recorded.recording import Command, Earlier, Recording, Run, Touched
from backport.config import Settings
from backport.gateway.identity import Signature
from backport.history.other_branch import AsBranch, Sibling
from backport.levels import Level, Phase
from backport.pick.outcome import How
from backport.planning.given import Source
from backport.planning.items import Posted, Taken
from backport.run.journal import Journal, RunState
from backport.run.steps import Reason, Step, StepState
from backport.run.stop import Lacked, Laid, Stop
from backport.run.worth import Part
from backport.store.cache import Cache
from series.model import Identity, Oid, When

DIFF = b"""\
diff --git a/xen/a.c b/xen/a.c
index 1111111..2222222 100644
--- a/xen/a.c
+++ b/xen/a.c
@@ -1,3 +1,4 @@ int f(void)
 one
-two
+TWO
+three
 four
@@ -20 +21,0 @@
-gone
"""
EXTENDED = b"""\
diff --git a/old name.c b/new name.c
similarity index 90%
rename from old name.c
rename to new name.c
old mode 100644
new mode 100755
diff --git "a/t\\tb" "b/t\\303\\244"
similarity index 100%
copy from "t\\tb"
copy to "t\\303\\244"
diff --git a/new b/new
new file mode 100644
index 0000000..ce01362
--- /dev/null
+++ b/new
@@ -0,0 +1 @@
+hello
\\ No newline at end of file
diff --git a/gone b/gone
deleted file mode 120000
index ce01362..0000000
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-hello
\\ No newline at end of file
diff --git a/sub b/sub
index 1111111111111111111111111111111111111111..2222222222222222222222222222222222222222 160000
--- a/sub
+++ b/sub
@@ -1 +1 @@
-Subproject commit 1111111111111111111111111111111111111111
+Subproject commit 2222222222222222222222222222222222222222
diff --git a/bin b/bin
index 78981922613b2afb6025042ff6bd878ac1994e85..b4a55a3a1c5b8a5ca8a1f3b1fbb9e3cd3cc11a4e 100644
GIT binary patch
literal 3
Kc${NkU|;|M00aO5

literal 2
Jc${NkV*mgE00ICA

"""
CONTEXT = b"""\
*** a/f\t2024-01-01
--- b/f\t2024-01-02
***************
*** 1,3 ****
  one
! two
  three
--- 1,3 ----
  one
! TWO
  three
"""
MAIL = (
    b"From 0000000000000000000000000000000000000001 Mon Sep 17 00:00:00 2001\n"
    b"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\n"
    b"Date: Mon, 1 Jan 2024 12:00:01 +0530\n"
    b"Subject: [PATCH v2 1/2] xen: do\n it\n"
    b"Message-Id: <1@example.org>\n\nBecause.\n\nSigned-off-by: A <a@example.org>\n---\n v2: more\n\n"
    + DIFF
    + b"-- \n2.30\n\n"
)
SECOND = (
    b"From 0000000000000000000000000000000000000002 Mon Sep 17 00:00:00 2001\n"
    b"From: a@example.org (A B)\nSubject: [PATCH v2 2/2] xen: more\nIn-Reply-To: <1@example.org>\n"
    b"Date: 1700000000 -0800\nMIME-Version: 1.0\n"
    b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
    b"From: B <b@example.org>\n\nBody =E4\n(cherry picked from commit 1234567890)\n---\n"
    + EXTENDED.replace(b"=", b"=3D")
    + b"-- \n2.30\n\n"
)
MULTIPART = (
    b"From x@y Mon Jan  1 00:00:00 2024\nFrom: A <a@b.c>\nSubject: =?utf-8?B?cGF0Y2g=?=\n"
    b'Content-Type: multipart/mixed; boundary="=-x"\n\n--=-x\nContent-Type: text/plain\n\nWords\n'
    b"--=-x\nContent-Type: text/x-patch; name=p.patch\nContent-Transfer-Encoding: base64\n\n"
    b"ZGlmZiAtLWdpdCBhL2YgYi9mCi0tLSBhL2YKKysrIGIvZgpAQCAtMSArMSBAQAotYQorYgo=\n--=-x--\n"
)
HG = b"# HG changeset patch\n# User A <a@b.c>\n# Date 1700000000 -3600\nwords\n\n" + DIFF
DEP3 = (
    b"Description: words\n more\nAuthor: A <a@b.c>\nOrigin: upstream\nLast-Update: 2024-01-01\n\n"
    + DIFF
)
SERIES = b"# a comment\none.patch -p1\ntwo.patch -p0 -R # later\n+guard three.patch\n../up/four.patch -F 2\n"
MAIL_WORDS = (
    *(
        b"From ",
        b"From: ",
        b"Subject: ",
        b"Date: ",
        b"\n\n",
        b"\n---\n",
        b"[PATCH 1/2]",
        b"Re: ",
        b"\0",
    ),
    *(b"Content-Type: ", b"multipart/mixed; boundary=", b"message/rfc822", b"charset=", b"utf-16"),
    *(
        b"Content-Transfer-Encoding: base64\n",
        b"=?utf-8?q?",
        b"=?utf-7?b?",
        b"?=",
        b"-- >8 --\n",
        b"\r\n",
    ),
    *(
        b"base-commit: ",
        b"prerequisite-patch-id: ",
        b"diff --git ",
        b"--- ",
        b"+++ ",
        b"@@ ",
        b"-- \n",
    ),
    *(
        b" +9999",
        b" -0000",
        b"1 Jan 1969",
        b"9999",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\x1f\x8b",
    ),
    *(b"Index: ", b"# HG changeset patch\n", b"# User ", b"Author: ", b"Description: ", b"commit "),
)
DIFF_WORDS = (
    *(
        b"diff --git ",
        b"--- a/",
        b"+++ b/",
        b"/dev/null",
        b"@@ -1 +1 @@\n",
        b"@@ -0,0 +1,2 @@\n",
        b"\\ No",
    ),
    *(
        b"GIT binary patch\n",
        b"literal 1\n",
        b"delta 9\n",
        b"rename from ",
        b"rename to ",
        b"copy from ",
    ),
    *(
        b"new file mode ",
        b"deleted file mode ",
        b"old mode ",
        b"index ",
        b"160000",
        b"120000",
        b"040000",
    ),
    *(
        b'"',
        b"\\000",
        b"\\n",
        b".git",
        b"git~1",
        b"..",
        b"//",
        b"\t",
        b"\r\n",
        b"\0",
        b"99999999999999999999",
    ),
    *(
        b"Subproject commit ",
        b"Binary files a/x and b/x differ\n",
        b"***************\n",
        b"*** 1,3 ****\n",
    ),
    *(b"Only in ", b"Index: ", b"===\n", b".gitmodules", b"similarity index 100%\n", b"-- \n"),
)
JSON_WORDS = (
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"-1",
        b"0",
        b"1e999",
        b"NaN",
        b'""',
        b"[[",
        b"{",
        b"1" * 400,
        b'"x"',
    ),
    *(b'"\\ud800"', b"\xff", b"[" * 2000, b'{"a":' * 500, b"1.5", b"99999999999999999999"),
)
TOML_WORDS = (
    *(
        b"[[scenario]]\n",
        b"[core]\n",
        b'"',
        b"'''",
        b"= 1\n",
        b"= []\n",
        b"= {}\n",
        b"= true\n",
        b"= 1.5\n",
    ),
    *(
        b"1979-05-27",
        b"-1",
        b"99999999999999999999",
        b"inf",
        b"nan",
        b"a.b.c",
        b"[" * 2000,
        b'"x"',
        b"0x",
    ),
)
NUMBERS = tuple(
    (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    for width in (1, 2, 4, 8)
    for value in (0, 1, 7, -1, 0x7FFFFFFF, 1 << 31, 1 << 63, 0xFFF1, 4096, 64 << 20)
)
ANSWER = {"state": "passed", "whole": True, "lines": [], "artefacts": {"a.o": "0" * 64}}
_OID = Oid("5" * 40)
_STATE = RunState(
    phase=Phase.STOPPED,
    settings=Settings(validate=Level.BOOT, accept=("a:b",)),
    branch="refs/heads/stable",
    target="refs/heads/stable",
    onto=_OID,
    old=None,
    committer=Signature(Identity(b"M\xe9", b"m@example.org"), When(1516000000, 60)),
    sources=(Source("mbox", "in.mbox", (("in.mbox", MAIL),), None),),
    items=(Posted(3), Taken(_OID), Posted(0), Posted(1)),
    steps=(
        Step(
            Posted(3),
            StepState.APPLIED,
            How.OFFSET,
            _OID,
            ("a.c: moved",),
            (Part("a.c", "hunk 1"),),
        ),
        Step(Taken(_OID), StepState.APPLIED, AsBranch("stable-4.11"), _OID),
        Step(Posted(0), StepState.ALREADY, Reason("changes nothing"), None),
    ),
    clash=Stop(
        Posted(1),
        (("a.c", "clashes"),),
        (("a.c", "hunk 1 is done"),),
        (Lacked(_OID, "prep", "writes it"),),
        (Laid("a.c", "5" * 64, True, "123"),),
    ),
    siblings=(Sibling("stable-4.11", _OID),),
)


def mails() -> Sequence[bytes]:
    """Mailboxes and patches, one of each kind that is read."""
    return (
        MAIL,
        SECOND,
        MAIL + SECOND,
        MULTIPART,
        HG,
        DEP3,
        DIFF,
        (MAIL + SECOND).replace(b"\n", b"\r\n"),
    )


def diffs() -> Sequence[bytes]:
    """Diffs with every kind of header."""
    return (DIFF, EXTENDED, CONTEXT, DIFF + EXTENDED, DIFF.replace(b"\n", b"\r\n"))


def quilt(cut: bytes) -> Sequence[bytes]:
    """Series files, each with patches."""
    names = b"one.patch\ntwo.patch -p1 -R\n"
    return (cut.join((names, DEP3, DIFF)), cut.join((SERIES, DIFF, HG, MAIL, CONTEXT)))


def journal() -> Sequence[bytes]:
    """The state of a run that has stopped, and of one that has not."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for state in (_STATE, replace(_STATE, clash=None, steps=(), phase=Phase.PLAN)):
            kept = Journal(Path(folder))
            kept.begin(state)
            found.append(kept.file.read_bytes())
    odd = json.loads(found[0])
    odd["clash"]["missing"] = [["5" * 40, "prep", "writes it", True, "none"]]
    return (*found, json.dumps(odd).encode())


def cache() -> Sequence[bytes]:
    """What lies in a cache: answers, artefacts, and what older releases left."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Cache(Path(folder))
        kept.put("build", "0" * 64, ANSWER)
        kept.put_blob(b"another")
        files = [path.read_bytes() for path in sorted(Path(folder).glob("*/*/*"))]
    return (*files, json.dumps(ANSWER).encode(), b"{}", b"")


def recordings() -> Sequence[bytes]:
    """A recording of two commands."""
    touched = Touched(
        frozenset({"a.c", "a.h"}), frozenset({"d"}), frozenset({"x.h"}), frozenset({"."})
    )
    run = Run("/usr/bin/gcc", ".", ("gcc", "-c", "a.c"), ("A=b", "C=\udcff"), 0)
    run = replace(run, wrote=frozenset({"a.o"}), removed=frozenset({"t"}))
    left = frozenset({"k"}), frozenset({"d"}), frozenset({"t"}), frozenset({"l"})
    before = frozenset({"o"}), frozenset({"b"}), {"a.o": Earlier(0o100644, 3, "\udcff")}
    command = Command((run,), touched, frozenset({"a.o"}), *left, *before, "why")
    kept = Recording(
        "key",
        "5" * 40,
        (command, replace(command, unsure="")),
        touched,
        {"a.o": (1, 2, 3, 4, 0o100644)},
        {"/usr/bin/gcc": "100755 0", "/usr/x.h": "", "/usr/*": "0"},
        frozenset({"log"}),
        frozenset({"a.d"}),
        frozenset({"v"}),
        frozenset({"/tmp/k"}),
        frozenset({1}),
        {"a.o": 2},
        "why",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.json"
        storage.Writer().save(kept, path)
        text = path.read_bytes()
    return (text, text.replace(b'{"a.o":2}', b'{"a.o":1e999}'))


LOG_END = b"Z 0 0\n\n"
LOG_WORDS = (
    *(b"F 2 1\n1\n", b"Q 1 1\n0\n", b"Q 2 3\n137\n", b"X 2 9\n/bin/make\n", b"O 2 6\nsocket\n"),
    *(
        b"R 1 3\na.c\n",
        b"W 2 3\na.o\n",
        b"U 2 3\na.o\n",
        b"N 2 3\nb.o\n",
        b"D 2 1\n.\n",
        b"M 2 1\nd\n",
    ),
    *(
        b"E 1 1\nx\n",
        b"u 2 3\n022\n",
        b"f 2 8\npipe:[1]\n",
        b"k 2 15\na.o\000100644 5\0ab\n",
        b"1 2 8\npipe:[2]\n",
        b"\0",
        b"-1",
        b"99999999",
    ),
)


def _log(*records: tuple[str, int, str]) -> bytes:
    lines = ((kind, serial, text.encode()) for kind, serial, text in records)
    return b"".join(b"%s %d %d\n%s\n" % (k.encode(), s, len(t), t) for k, s, t in lines)


def _program(serial: int, exe: str, *argv: str) -> tuple[tuple[str, int, str], ...]:
    words, files = (
        "".join(f"{word}\0" for word in argv),
        [(str(n), serial, "/dev/null") for n in range(3)],
    )
    start = [("X", serial, exe), ("x", serial, exe), ("c", serial, "/"), ("u", serial, "22")]
    return (*start, ("a", serial, words), ("e", serial, "PATH=/bin\0"), *files)


def logs() -> Sequence[bytes]:
    """A shell that starts a make, which compiles; and a command alone."""
    compiled = (
        *_program(1, "/bin/sh", "sh", "-c", "make"),
        ("F", 2, "1"),
        *_program(2, "/usr/bin/make", "make"),
        *(("R", 2, "Makefile"), ("S", 2, "a.c"), ("E", 2, "a.o"), ("F", 3, "2")),
        *_program(3, "/usr/bin/cc", "cc", "-MD", "-c", "a.c"),
        *(
            ("R", 3, "a.c"),
            ("D", 3, "."),
            ("W", 3, "a.o"),
            ("W", 3, "a.d"),
            ("W", 3, "tmp"),
            ("U", 3, "tmp"),
        ),
        *(("Q", 3, "0"), ("S", 2, "a.o"), ("Q", 2, "0"), ("Q", 1, "0")),
    )
    alone = (
        *_program(1, "/bin/sh", "sh", "-c", "cat a >b"),
        ("R", 1, "a"),
        ("A", 1, "b"),
        ("Q", 1, "0"),
    )
    return (_log(*compiled), _log(*alone))


def profiles() -> Sequence[bytes]:
    """The built-in profile."""
    return (resources.files("emu").joinpath("profiles", "xen-pv-shim-4.10.toml").read_bytes(),)


def objects() -> Sequence[bytes]:
    """The small core of the tests."""
    from tests.emu import mini

    return (mini.core(),)


def images() -> Sequence[bytes]:
    """Small linked images, which halt at once or reach 64-bit mode."""
    from tests.emu.images import shim32, shim64

    return (shim32("hlt"), shim32("mov %eax, 0; 1: jmp 1b"), shim64("hlt"), shim64("ud2"))
