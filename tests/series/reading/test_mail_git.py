# SPDX-License-Identifier: GPL-2.0-or-later
"""The same mails to us and to ``git am``: author, date, message and tree must be the same."""

from __future__ import annotations

import base64
import quopri
from pathlib import Path

import pytest

from series.placement.hunks import apply_change
from series.reading.mail import read_mbox
from tests.series.gitrun import git, repository

DIFF = b"""---
 f | 1 +
 1 file changed, 1 insertion(+)

diff --git a/f b/f
--- a/f
+++ b/f
@@ -1,3 +1,4 @@
 one
+\xc3\xa4 zw\xc3\xb6lf
 two
 three
--\x20
2.39.5

"""
BASE = b"one\ntwo\nthree\n"
SEPARATOR = b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
HEAD = (
    b"From: A U Thor <author@example.org>\nDate: Thu, 11 Jan 2018 17:48:00 +0100\n"
    b"Subject: [PATCH 1/2] subsys: do it\n"
)


def _mail(head: bytes = HEAD, body: bytes = b"Body text.\n\nSigned-off-by: A <a@b.c>\n") -> bytes:
    return SEPARATOR + head + b"\n" + body + DIFF


def _encoded(how: bytes, charset: bytes = b"UTF-8", body: bytes = b"K\xc3\xb6rper.\n") -> bytes:
    text = body + DIFF
    packed = base64.encodebytes(text) if how == b"base64" else quopri.encodestring(text)
    head = HEAD + b"MIME-Version: 1.0\nContent-Type: text/plain; charset=" + charset
    return SEPARATOR + head + b"\nContent-Transfer-Encoding: " + how + b"\n\n" + packed


def _multipart(kind: bytes) -> bytes:
    return (
        SEPARATOR
        + HEAD
        + b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="----xyz"\n\n'
        + b"This is a multi-part message in MIME format.\n------xyz\n"
        + b"Content-Type: text/plain; charset=UTF-8; format=fixed\n"
        + b"Content-Transfer-Encoding: 8bit\n\n\nThe body.\n"
        + DIFF.split(b"diff --git")[0]
        + b'\n------xyz\nContent-Type: text/x-patch; name="1.patch"\n'
        + b"Content-Transfer-Encoding: 8bit\nContent-Disposition: "
        + kind
        + b'; filename="1.patch"\n\ndiff --git'
        + DIFF.split(b"diff --git", 1)[1].rsplit(b"\n-- \n", 1)[0]
        + b"\n------xyz--\n"
    )


def _subject(text: bytes) -> bytes:
    return _mail(HEAD.replace(b"[PATCH 1/2] subsys: do it", text))


def _author(text: bytes) -> bytes:
    return _mail(HEAD.replace(b"A U Thor <author@example.org>", text))


MAILS = {
    "plain": _mail(),
    "no separator": _mail()[len(SEPARATOR) :],
    "brackets": _subject(b"Re: [Xen-devel] [PATCH for-4.10 v2 1/2] [RFC] a [b] c"),
    "folded subject": _subject(b"[PATCH 1/2] a long subject that was\n folded by its sender"),
    "encoded subject": _subject(b"=?UTF-8?q?=5BPATCH=5D_caf=C3=A9_?=\n =?UTF-8?q?con_leche?="),
    "latin-1 subject": _subject(
        b"[PATCH] =?iso-8859-1?Q?caf=E9?= and =?utf-8?B?w7Y=?= =?utf-8?B?w7Y=?="
    ),
    "blanks in subject": _subject(b"[PATCH]   too   many\tblanks  "),
    "encoded author": _author(b"=?UTF-8?q?Roger=20Pau=20Monn=C3=A9?= <roger@example.org>"),
    "quoted author": _author(b'"Thor, A U" <author@example.org>'),
    "author in brackets": _author(b"author@example.org (A U Thor)"),
    "bare author": _author(b"author@example.org"),
    "author with comment": _author(b"A U (Bob) Thor <author@example.org> (Comment)"),
    "short author": _author(b"X <author@example.org>"),
    "escaped author": _author(b'"A \\"U\\" Thor" <author@example.org>'),
    "in-body author": _mail(body=b"From: B Other <b@example.org>\n\nText.\n"),
    "in-body all": _mail(
        body=b"\nFrom: B Other <b@example.org>\nSubject: another\n subject\n"
        b"Date: Wed, 3 Jan 2018 10:00:00 -0530\n\nText.\n"
    ),
    "late in-body author": _mail(body=b"Text.\n\nFrom: B Other <b@example.org>\n"),
    "from line in body": _mail(body=b"From experimental testing it seems\nthat it works.\n"),
    "blank lines": _mail(body=b"\n\n\nA.  \n\n\n\nB.\t\n\n\n"),
    "cut": _mail(body=b"A.\n---\nnot kept\n"),
    "no cut": _mail(body=b"A.\n--- a b c\n--------\n"),
    "scissors stay": _mail(body=b"A.\n-- >8 --\nB.\n"),
    "empty body": _mail(body=b""),
    "crlf": _mail()[len(SEPARATOR) :].replace(b"\n", b"\r\n"),
    "base64": _encoded(b"base64"),
    "quoted-printable": _encoded(b"quoted-printable"),
    "attachment": _multipart(b"attachment"),
    "inline": _multipart(b"inline"),
    "latin-1 body": _mail(
        HEAD + b"Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 8bit\n",
        b"K\xf6rper.\n",
    ),
    "latin-1 in-body author": _mail(
        HEAD + b"Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 8bit\n",
        b"From: J\xf6rg <j@example.org>\n\nK\xf6rper.\n",
    ),
    "utf-8 in-body author of a latin-1 body": _mail(
        HEAD + b"Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 8bit\n",
        "From: 名前 <n@example.org>\n\n".encode() + b"K\xf6rper.\n",
    ),
    "utf-8 in-body author": _mail(
        HEAD + b"Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n",
        "From: Jörg <j@example.org>\n\nKörper.\n".encode(),
    ),
    "old date": _mail(HEAD.replace(b"Thu, 11 Jan 2018 17:48:00 +0100", b"1515689280 +0100")),
    "no weekday": _mail(HEAD.replace(b"Thu, 11 Jan", b"11 Jan")),
    "zone name": _mail(HEAD.replace(b"+0100", b"GMT")),
    "indented": _mail(body=b"    indented\n\n\ttab\n"),
    "form feed": _mail(body=b"a\x0c\nb\n"),
}


@pytest.mark.parametrize("name", MAILS)
def test_like_git_am(name: str, tmp_path: Path) -> None:
    mail = MAILS[name]
    repo = repository(tmp_path / "r", {"f": BASE})
    git(repo, "am", "-q", data=mail)
    raw = git(repo, "cat-file", "commit", "HEAD")
    head, _, message = raw.partition(b"\n\n")
    author = next(line for line in head.split(b"\n") if line.startswith(b"author "))
    series = read_mbox(mail, "x.mbox")
    (patch,) = series.patches
    assert patch.message == message
    assert patch.date is not None
    sign = b"-" if patch.date.offset < 0 else b"+"
    zone = b"%s%02d%02d" % (sign, *divmod(abs(patch.date.offset), 60))
    ours = b"author %s <%s> %d %s" % (
        patch.author.name,
        patch.author.email,
        patch.date.seconds,
        zone,
    )
    assert ours == author
    (change,) = patch.changes
    assert apply_change(BASE, change).text == git(repo, "cat-file", "blob", "HEAD:f")


def test_what_git_refuses_or_changes_is_kept() -> None:
    """An encoding that nobody knows, bytes of no declared charset, a separator quoted in a body."""
    (patch,) = read_mbox(_subject(b"[PATCH] =?utf-8?X?abc?= rest"), "x").patches
    assert patch.subject == b"=?utf-8?X?abc?= rest"
    (patch,) = read_mbox(_mail(body=b"K\xf6rper.\n"), "x").patches
    assert patch.message.endswith("Körper.\n".encode())  # as git am, which takes it for Latin-1
    (patch,) = read_mbox(_mail(body=b"As in:\n\n" + SEPARATOR + b"and so on.\n"), "x").patches
    assert patch.message.endswith(SEPARATOR + b"and so on.\n")


def test_an_author_in_the_body_is_of_its_charset() -> None:
    """git am takes the name for Latin-1, and the message for what it is."""
    head = HEAD + b"Content-Type: text/plain; charset=KOI8-R\nContent-Transfer-Encoding: 8bit\n"
    name = b"\xe9\xd7\xc1\xce"
    mail = _mail(head, b"From: " + name + b" <i@example.org>\n\n" + name + b".\n")
    (patch,) = read_mbox(mail, "x").patches
    assert patch.author.name == "Иван".encode()
    assert patch.message.endswith("Иван.\n".encode())


def test_patch_to_a_crlf_file(tmp_path: Path) -> None:
    """Here git am without --keep-cr fails, and with it does what we do."""
    repo = repository(tmp_path / "r", {"f": BASE.replace(b"\n", b"\r\n")})
    (repo / "f").write_bytes(b"one\r\ntwo\r\n2a\r\nthree\r\n")
    git(repo, "commit", "-q", "-a", "-m", "crlf: change")
    mail = git(repo, "format-patch", "-1", "--stdout")
    wanted = git(repo, "cat-file", "blob", "HEAD:f")
    (patch,) = read_mbox(mail, "x").patches
    assert apply_change(BASE.replace(b"\n", b"\r\n"), patch.changes[0]).text == wanted


def test_everything_git_writes_comes_back(tmp_path: Path) -> None:
    """Renames, modes, binaries, quoted names, creations and deletions through format-patch."""
    files = {
        "plain.c": b"".join(b"%d\n" % n for n in range(40)),
        "sp ace.c": b"a\nb\nc\n",
        "\u00f6.c": b"x\n" * 9,
        "bin": bytes(range(256)) * 4,
        "gone": b"bye\n",
        "tab\there": b"t\n",
    }
    repo = repository(tmp_path / "r", files)
    (repo / "plain.c").rename(repo / "renamed.c")
    (repo / "renamed.c").write_bytes(files["plain.c"].replace(b"20\n", b"twenty\n"))
    (repo / "sp ace.c").chmod(0o755)
    (repo / "\u00f6.c").write_bytes(b"x\n" * 9 + b"no end")
    (repo / "bin").write_bytes(bytes(range(256)) * 4 + b"\0\1")
    (repo / "gone").unlink()
    (repo / "empty").write_bytes(b"")
    (repo / "tab\there").write_bytes(b"T\n")
    (repo / "link").symlink_to("plain.c")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "all of it")
    mail = git(repo, "format-patch", "-1", "--stdout", "-M", "--binary", "--full-index")
    (patch,) = read_mbox(mail, "x").patches
    made: dict[bytes, bytes] = {}
    for change in patch.changes:
        name = change.old_path.decode() if change.old_path else None
        text = apply_change(files[name] if name else b"", change).text
        if change.new_path is not None:
            made[change.new_path] = text
            blob = git(repo, "cat-file", "blob", f"HEAD:{change.new_path.decode()}")
            assert text == blob
    modes = {change.path: change.new_mode for change in patch.changes}
    assert modes[b"sp ace.c"] == 0o100755
    assert modes[b"link"] == 0o120000
    kinds = {change.path: change.kind for change in patch.changes}
    assert kinds[b"renamed.c"] == "rename"
    assert kinds[b"gone"] == "delete"
    assert set(made) == {
        b"renamed.c",
        b"sp ace.c",
        "\u00f6.c".encode(),
        b"bin",
        b"empty",
        b"tab\there",
        b"link",
    }
