# SPDX-License-Identifier: GPL-2.0-or-later
"""Versions, compared by their numbers; and the one line of a tree that says which version it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from backport.errors import UsageError
from backport.gateway.trees import TreeView
from series.model import shown

_VERSION = re.compile(r"\d+(?:\.\d+)*(?:[-.]?rc\d+)?")
_Form = tuple[str, str]
"""What stands before the version in the name of a tag, and behind it."""
_XEN = b"xen/Makefile"
_XEN_LINE = re.compile(
    rb"(?m)^(export XEN_EXTRAVERSION[ \t]*\?=[ \t]*)([^\n$]*)(\$\(XEN_VENDORVERSION\))?$"
)
_XEN_NUMBER = rb"(?m)^export XEN_%s[ \t]*=[ \t]*(\d+)[ \t]*$"


class Bump(Struct, frozen=True):
    """The file that says the version, as it is to be; ``said`` is what the line becomes."""

    path: bytes
    content: bytes
    said: str
    subject: str


def ordered(version: str) -> tuple[tuple[int, ...], tuple[int, int]]:
    """A key to compare by: 4.10.1-rc2 comes before 4.10.1.  Raises `UsageError`."""
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no version", "as 4.10.1 or 4.10.1-rc1")
    numbers, _, candidate = version.replace("-", "").partition("rc")
    parts = tuple(int(x) for x in numbers.strip(".").split("."))
    while parts and parts[-1] == 0:
        parts = parts[:-1]
    return parts, ((0, int(candidate)) if candidate else (1, 0))


def version_of(tag: str) -> str:
    """The version in the name of a tag.  Raises `UsageError`."""
    found = _VERSION.findall(tag)
    dotted = [one for one in found if "." in one] or found
    if len(dotted) != 1:
        raise UsageError(
            f"the tag {tag} names no version, or more than one", "--since names another"
        )
    return str(dotted[0])


def tag_for(
    version: str, last: str, behind: Sequence[str] = (), everywhere: Sequence[str] = ()
) -> str:
    """The name of the tag for a version, as the tree's own tags are named.

    What the newest release below it is called, of the tags ``behind`` the branch and of those ``everywhere``
    (candidates, where it is one): a tree may have changed its names, or tag releases off the branch.  Of
    several forms the most frequent is taken, then one that ends with the version, then that of ``last``.
    Raises `UsageError` where nothing decides.
    """
    usual = Counter(form for _, form in _below(version, everywhere))
    forms = {*_newest(version, behind), *_newest(version, everywhere)}
    own, most = _form_of(last), max((usual[form] for form in forms), default=0)
    for prefer in (
        lambda form: usual[form] == most,
        lambda form: not form[1],
        lambda form: own is not None and form == own[1],
    ):
        forms = set(filter(prefer, forms)) or forms
    if len(forms) > 1:
        names = " and ".join(sorted(f"{before}{version}{after}" for before, after in forms))
        raise UsageError(f"going by the tags here, it may be {names}", "--tag NAME says which")
    before, after = forms.pop() if forms else last.split(version_of(last), 1)
    return f"{before}{version}{after}"


def _newest(version: str, tags: Sequence[str]) -> list[_Form]:
    """How the newest release below a version is called."""
    found = _below(version, tags)
    newest = max((ordered(one) for one, _ in found), default=None)
    return [form for one, form in found if ordered(one) == newest]


def _below(version: str, tags: Sequence[str]) -> list[tuple[str, _Form]]:
    """The releases below a version, or the candidates; with dots as it has."""
    return [
        (found, form)
        for found, form in filter(None, map(_form_of, tags))
        if ("." in found, "rc" in found) == ("." in version, "rc" in version)
        and ordered(found) < ordered(version)
    ]


def _form_of(tag: str) -> tuple[str, _Form] | None:
    """The version in a tag's name, and what stands around it; None where it does not name just one."""
    try:
        found = version_of(tag)
    except UsageError:
        return None
    before, after = tag.split(found, 1)
    return found, (before, after)


def bump(tree: TreeView, version: str, configured: str | None) -> Bump | None:
    """The change that has the tree say the version; None where nothing in it says one, or it does already.

    ``configured`` is ``PATH:LINE`` with ``{version}`` in LINE.  Raises `UsageError`.
    """
    if configured is not None:
        return _by_line(tree, version, configured)
    text = tree.read(_XEN)
    if text is None or not _XEN_LINE.search(text):
        return None
    numbers = [re.search(_XEN_NUMBER % key, text) for key in (b"VERSION", b"SUBVERSION")]
    head = ".".join(m[1].decode() for m in numbers if m is not None)
    if not version.startswith(f"{head}."):
        raise UsageError(f"{version} is no version of {head}, which {shown(_XEN)} says")
    extra = version.removeprefix(head)
    new = _XEN_LINE.sub(lambda m: m[1] + extra.encode() + (m[3] or b""), text, count=1)
    return _changed(_XEN, text, new, extra, f"update Xen version to {version}")


def _by_line(tree: TreeView, version: str, configured: str) -> Bump | None:
    path, colon, line = configured.partition(":")
    if not colon or line.count("{version}") != 1:
        raise UsageError(
            f"backport.versionLine: {configured!r}", "it is PATH:LINE, with {version} once in LINE"
        )
    text = tree.read(path.encode())
    if text is None:
        raise UsageError(f"backport.versionLine: there is no file {path}")
    before, after = (re.escape(part.encode()) for part in line.split("{version}"))
    pattern = re.compile(rb"(?m)^(%s)([0-9][^\s'\"]*?)(%s)$" % (before, after))
    found = pattern.findall(text)
    if len(found) != 1:
        count = len(found) or "no"
        raise UsageError(f"backport.versionLine: {path} has {count} lines like {line!r}")
    new = pattern.sub(lambda m: m[1] + version.encode() + m[3], text)
    return _changed(path.encode(), text, new, version, f"update version to {version}")


def _changed(path: bytes, old: bytes, new: bytes, said: str, subject: str) -> Bump | None:
    return Bump(path, new, said, subject) if old != new else None
