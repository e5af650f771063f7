# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that one patch introduces and another uses: what ties patches that share no line.

On a real series of 77 patches 43 such pairs were implied by no textual path.  Precision counts more
than completeness: a false edge forbids a good order.  So a name counts as introduced only when the
files concerned did not hold it in the base, a static name counts within its file, a member only as
``.name`` or ``->name``, and comments, strings and local declarations are no uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from series.lexer import CodeLine, code_lines, language
from series.model import Base, FileChange, LineOp, Patch

Kind = Literal["function", "macro", "type", "variable", "member", "constant", "config", "file"]

_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_DEFINE = re.compile(rb"\s*#\s*define\s+([A-Za-z_]\w*)")
_DIRECTIVE = re.compile(rb"\s*#\s*([a-z]*)")
_NAMED = re.compile(rb"#\s*(?:define|undef|ifdef|ifndef)$")
_TAGGED = re.compile(
    rb"\s*(?:typedef\s+|static\s+|const\s+)*(struct|union|enum)\s+([A-Za-z_]\w*)\s*(\{|$)"
)
_TYPEDEF = re.compile(rb"typedef\b[^;]*?[\s*]\(?\*?([A-Za-z_]\w*)\)?\s*(?:\[[^;]*|\([^;]*)?;")
_TYPE_END = re.compile(rb"\}\s*(?:__\w+\s+)?([A-Za-z_]\w*)\s*;")
_FUNCTION = re.compile(rb"((?:[A-Za-z_]\w*[\s*]+)+)([A-Za-z_]\w*)\s*\(")
_BARE_CALL = re.compile(rb"([a-z_]\w*)\s*\(")
_TYPE_LINE = re.compile(rb"[A-Za-z_][\w\s*]*$")
_DEFINER = re.compile(rb"(?:static\s+|extern\s+)?((?:DEFINE|DECLARE)_[A-Z0-9_]+)\s*\(([^)]*)\)?")
_MEMBER = re.compile(
    rb"\s+(?:[A-Za-z_]\w*[\s*]+)+\**([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*(?::\s*\w+\s*)?[;,]"
    rb"|\s+(?:[A-Za-z_]\w*[\s*]+)+\(\s*\*\s*([A-Za-z_]\w*)\s*\)\s*\("
)
_CONSTANT = re.compile(rb"\s+([A-Za-z_]\w*)\s*(?:=[^,]*)?,?\s*$")
_ENTRY = re.compile(
    rb"\s*(?:ENTRY|GLOBAL|FUNC|DATA)\s*\(\s*([A-Za-z_]\w*)\s*\)|\s*\.globa?l\s+([A-Za-z_]\w*)"
)
_LABEL = re.compile(rb"([A-Za-z_]\w*):")
_ASM_MACRO = re.compile(rb"\s*\.macro\s+([A-Za-z_]\w*)")
_ASSIGN = re.compile(rb"\s*(?:PROVIDE\()?([A-Za-z_]\w*)\s*=[^=]")
_CONFIG = re.compile(rb"\s*(?:menu)?config\s+([A-Za-z0-9_]+)\s*$")
_EXPRESSION = re.compile(
    rb"\s*(?:depends on|select|imply|if|visible if|default|def_bool|def_tristate|range"
    rb"|(?:bool|tristate|prompt|int|hex|string)\b.*\bif)\b(.*)"
)
_INCLUDE = re.compile(rb"\s*#\s*include\s*[<\"]([^>\"]+)[>\"]")
_SOURCE = re.compile(rb"\s*source\s+\"?([^\"\s]+)")
_MAKE_WORD = re.compile(rb"[\w./+-]+")
_OBJECT_LINE = re.compile(
    rb"\s*(?:(?:obj|lib|subdir|extra|targets|always|hostprogs|OBJS?)\b|[\w./$()-]+-[yo]\b)[^=]*[:+?]?=(.*)",
    re.IGNORECASE,
)
_IDL = re.compile(rb"\(\s*\"([A-Za-z_]\w*)\"")
_KEYWORDS = frozenset(
    b"if else while for do switch case return goto typedef sizeof break continue default asm "
    b"__asm__ defined elif endif ifdef ifndef include undef error pragma".split()
)
_NOT_A_TYPE = _KEYWORDS | frozenset(b"and or not in is".split())
_QUALIFIERS = frozenset(
    b"static extern const volatile inline struct union enum unsigned signed".split()
)
_HEADERS = (b".h", b".hpp", b".inc")


@dataclass(frozen=True, slots=True)
class Definition:
    """A name that a patch makes known, and where; ``local`` when only its own file can see it."""

    kind: Kind
    name: bytes
    path: bytes
    line: int
    local: bool = False
    text: bytes = b""
    """The line that defines it, blanks evened out: whether a patch changes it is seen by this."""
    changed: bool = False
    """The patch changes what the name is, rather than introducing it."""


@dataclass(frozen=True, slots=True)
class Use:
    """A name as an added line uses it."""

    name: bytes
    path: bytes
    line: int
    form: Literal["call", "member", "plain", "config", "file"]


@dataclass(frozen=True, slots=True)
class SymbolLink:
    """Patch ``user`` needs the name that patch ``maker`` introduces."""

    maker: int
    user: int
    definition: Definition
    use: Use


# -- definitions


def definitions(change: FileChange, side: LineOp = b"+") -> list[Definition]:
    """What the added lines (or, with ``-``, the removed ones) of a change define."""
    path = change.path if side == b"+" else (change.old_path or change.path)
    kind = language(path)
    found: list[Definition] = []
    if side == b"+" and change.kind in ("create", "copy", "rename"):
        found.append(Definition("file", path, path, 1))
    for hunk, lines in code_lines(change, side):
        if kind == "kconfig":
            for line in lines:
                if line.own and (match := _CONFIG.match(line.clean)):
                    found.append(Definition("config", b"CONFIG_" + match[1], path, line.number))
        elif kind == "idl":
            for line in lines:
                if line.own:
                    found += [
                        Definition("member", name, path, line.number)
                        for name in _IDL.findall(line.raw)
                    ]
        elif kind == "asm":
            found += _asm(lines, path)
        elif kind == "c":
            found += _c(lines, path, hunk.section)
    return found


def _asm(lines: list[CodeLine], path: bytes) -> Iterator[Definition]:
    script = path.endswith(b".lds.S")
    for line in lines:
        if not line.own:
            continue
        text = line.clean
        if match := _DEFINE.match(text):
            yield Definition("macro", match[1], path, line.number, local=True)
        elif match := _ENTRY.match(text):
            yield Definition("function", match[1] or match[2], path, line.number)
        elif match := _ASM_MACRO.match(text):
            yield Definition("macro", match[1], path, line.number, local=True)
        elif script and (match := _ASSIGN.match(text)):
            yield Definition("variable", match[1], path, line.number)
        elif match := _LABEL.match(text):
            yield Definition("function", match[1], path, line.number, local=True)


def _c(lines: list[CodeLine], path: bytes, section: bytes) -> Iterator[Definition]:
    header = path.endswith(_HEADERS)
    body = _BodyTracker(section)
    previous = b""
    for index, line in enumerate(lines):
        text = line.clean
        inside = body.kind
        body.feed(text)
        following = lines[index + 1].clean if index + 1 < len(lines) else b""
        if line.own and not line.continued:
            for kind, name, static in _c_line(text, previous, following, inside):
                even = b" ".join(text.split())
                yield Definition(kind, name, path, line.number, static and not header, even)
        if text.strip():
            previous = text


class _BodyTracker:
    """Whether a line stands in the body of a struct, union or enum."""

    def __init__(self, section: bytes) -> None:
        match = _TAGGED.match(section) or re.match(
            rb"(?:typedef\s+)?(struct|union|enum)\b", section
        )
        opened = match is not None and b";" not in section and b"(" not in section
        self.stack: list[str] = [match[1].decode()] if match and opened else []
        self.awaiting = ""

    @property
    def kind(self) -> str:
        return self.stack[-1] if self.stack else ""

    def feed(self, text: bytes) -> None:
        match = re.search(
            rb"\b(struct|union|enum)\b[^;()=]*$|\b(struct|union|enum)\b[^;()=]*\{", text
        )
        if match:
            self.awaiting = (match[1] or match[2]).decode()
        elif b";" in text or b"(" in text:
            self.awaiting = ""
        for mark in text:
            if mark == 0x7B:
                self.stack.append(self.awaiting or "code")
                self.awaiting = ""
            elif mark == 0x7D and self.stack:
                self.stack.pop()


def _c_line(
    text: bytes, previous: bytes, following: bytes, inside: str
) -> Iterator[tuple[Kind, bytes, bool]]:
    if match := _DEFINE.match(text):
        # A macro in a .c file is seen there alone, like a static function.
        yield "macro", match[1], True
        return
    if _DIRECTIVE.match(text) or not text.strip():
        return
    tagged = _TAGGED.match(text)
    if tagged and (tagged[3] or following.lstrip().startswith(b"{")):
        yield "type", tagged[2], not text.startswith((b"typedef", tagged[1]))
        return
    if text[:1] in b" \t":
        if inside in ("struct", "union") and (match := _MEMBER.match(text)):
            yield "member", match[1] or match[2], False
        elif inside == "enum" and (match := _CONSTANT.match(text)):
            yield "constant", match[1], False
        return
    if text.startswith(b"}"):
        if match := _TYPE_END.match(text):
            yield "type", match[1], False
        return
    yield from _at_margin(text, previous)


def _at_margin(text: bytes, previous: bytes) -> Iterator[tuple[Kind, bytes, bool]]:
    """A declaration that begins in the first column, where house styles put those of a file."""
    first = _WORD.match(text)
    if first is None or first[0] in _KEYWORDS - {b"typedef"}:
        return
    if first[0] == b"typedef":
        if match := _TYPEDEF.match(text):
            yield "type", match[1], False
        return
    static = re.search(rb"\bstatic\b", text[:80]) is not None
    if match := _DEFINER.match(text):
        words = _WORD.findall(match[2])
        if words:
            yield "variable", words[-1] if b"PER_CPU" in match[1] else words[0], static
        return
    match = _FUNCTION.match(text)
    if match:
        name = match[2]
        if name not in _KEYWORDS and not name.startswith(b"__attribute") and not name.isupper():
            yield "function", name, static
        return
    match = _BARE_CALL.match(text)
    if match:
        # static int
        # name(...)
        if _TYPE_LINE.match(previous) and previous[:1] not in b" \t":
            yield "function", match[1], re.search(rb"\bstatic\b", previous) is not None
        return
    declared = re.split(rb"[=;\[]", text, maxsplit=1)
    if len(declared) == 2 and b"(" not in declared[0] and b"," not in declared[0]:
        words = _WORD.findall(declared[0])
        while len(words) > 1 and words[-1].startswith(b"__"):
            words.pop()
        if len(words) > 1 and words[-2] not in (b"struct", b"union", b"enum"):
            yield "variable", words[-1], static


# -- uses


def uses(change: FileChange, wanted: frozenset[bytes] | set[bytes]) -> list[Use]:
    """Where the added lines of a change use names of ``wanted``."""
    path = change.path
    kind = language(path)
    found: list[Use] = []
    for _, lines in code_lines(change):
        for line in lines:
            if not line.own:
                continue
            if kind == "kconfig":
                found += _kconfig_uses(line, path, wanted)
            elif kind == "make":
                found += [
                    Use(word, path, line.number, "config")
                    for word in _WORD.findall(line.clean)
                    if word.startswith(b"CONFIG_") and word in wanted
                ]
            elif kind in ("c", "asm"):
                words = _WORD.findall(line.clean)
                if not wanted.isdisjoint(words):
                    found += _code_uses(line, path, wanted)
    return found


def _kconfig_uses(
    line: CodeLine, path: bytes, wanted: frozenset[bytes] | set[bytes]
) -> Iterator[Use]:
    match = _EXPRESSION.match(line.clean)
    for word in _WORD.findall(match[1]) if match else ():
        name = b"CONFIG_" + word
        if name in wanted:
            yield Use(name, path, line.number, "config")


def _code_uses(line: CodeLine, path: bytes, wanted: frozenset[bytes] | set[bytes]) -> Iterator[Use]:
    text = line.clean
    directive = _DIRECTIVE.match(text)
    if directive and directive[1] == b"include":
        return
    for match in _WORD.finditer(text):
        name = match[0]
        if name not in wanted:
            continue
        before = text[: match.start()].rstrip()
        after = text[match.end() :].lstrip()
        if before.endswith((b".", b"->")) and not before.endswith(b".."):
            yield Use(name, path, line.number, "member")
        elif name.startswith(b"CONFIG_"):
            yield Use(name, path, line.number, "config")
        elif not (_NAMED.search(before) if directive else _declares(before, after)):
            yield Use(name, path, line.number, "call" if after.startswith(b"(") else "plain")


def _declares(before: bytes, after: bytes) -> bool:
    """Whether a name after ``before`` is being declared: a type stands before it."""
    bare = before.rstrip(b"* \t")
    match = re.search(rb"([A-Za-z_]\w*)$", bare)
    if match is None or match[1] in _NOT_A_TYPE or match[1] in (b"struct", b"union", b"enum"):
        return False
    if len(bare) < len(before):
        # a * b: a product, unless a declaration's end or start is in sight.
        words = bare[: match.start()].split()
        return after[:1] in (b";", b"=", b",", b")", b"(", b"[") and (
            match[1] in _QUALIFIERS or all(word in _QUALIFIERS for word in words)
        )
    return after[:1] in (b";", b"=", b",", b")", b"(", b"[", b":", b"")


# -- files


def file_uses(change: FileChange) -> list[Use]:
    """Paths, or ends of paths, that the added lines include, source or build."""
    path = change.path
    kind = language(path)
    here = path.rsplit(b"/", 1)[0] + b"/" if b"/" in path else b""
    found: list[Use] = []
    for _, lines in code_lines(change):
        for line in lines:
            if not line.own:
                continue
            if kind in ("c", "asm") and line.clean.lstrip().startswith(b"#"):
                if match := _INCLUDE.match(line.raw):
                    found.append(Use(match[1], path, line.number, "file"))
            elif kind == "kconfig" and (match := _SOURCE.match(line.raw)):
                found.append(Use(match[1], path, line.number, "file"))
            elif kind == "make" and (match := _OBJECT_LINE.match(line.clean)):
                for word in _MAKE_WORD.findall(match[1]):
                    if word.endswith(b".o"):
                        found += [
                            Use(here + word[:-1] + end, path, line.number, "file")
                            for end in (b"c", b"S")
                        ]
                    else:
                        found.append(
                            Use(here + word.rstrip(b"/") + b"/Makefile", path, line.number, "file")
                        )
    return found


# -- tying them together


def symbol_links(
    patches: Sequence[Patch],
    base: Base | None,
    order: Sequence[int] | None = None,
    skip: Callable[[int, int], bool] = lambda maker, user: False,
) -> list[SymbolLink]:
    """Every pair of patches where one uses what another introduces.

    With ``order``, a name that several patches introduce is the first one's; without, it is
    nobody's, because nothing says which.  ``skip(maker, user)`` spares pairs known to be tied.
    """
    made = _introduced(patches)
    olds: dict[tuple[bytes, bytes], bool] = {}
    texts: dict[bytes, bytes] = {}

    def existed(name: bytes, path: bytes) -> bool:
        if base is None:
            return False
        known = olds.get((name, path))
        if known is None:
            if path not in texts:
                texts[path] = base.read(path) or b""
            text = texts[path]
            known = name in text and re.search(rb"\b" + re.escape(name) + rb"\b", text) is not None
            olds[name, path] = known
        return known

    place = {index: at for at, index in enumerate(order)} if order is not None else None
    links: dict[tuple[int, int, bytes], SymbolLink] = {}
    wanted = frozenset(made)
    own_paths = _old_names(patches)

    def is_new(definition: Definition, use: Use) -> bool:
        name = definition.name
        if definition.kind == "config":
            name = name.removeprefix(b"CONFIG_")
        return not existed(name, own_paths.get(definition.path, definition.path)) and not existed(
            use.name, own_paths.get(use.path, use.path)
        )

    for index, patch in enumerate(patches):
        for change in patch.changes:
            for use in uses(change, wanted):
                suiting = [one for one in made[use.name] if _suits(one[1], use)]
                if any(maker == index for maker, _ in suiting):
                    continue
                fresh = [one for one in suiting if not one[1].changed and is_new(one[1], use)]
                first = _first(fresh or [one for one in suiting if one[1].changed], place)
                if first is None or skip(first[0], index):
                    continue
                # A use before the change is not premature: the change may have come to fit it.
                if first[1].changed and place is not None and place[first[0]] > place[index]:
                    continue
                links.setdefault(
                    (first[0], index, use.name), SymbolLink(first[0], index, first[1], use)
                )
    for link in _file_links(patches, place):
        if not skip(link.maker, link.user):
            links.setdefault((link.maker, link.user, link.use.name), link)
    return sorted(links.values(), key=lambda link: (link.maker, link.user, link.use.name))


def _introduced(patches: Sequence[Patch]) -> dict[bytes, list[tuple[int, Definition]]]:
    """Name to the patches that introduce it, leaving out what a patch only moves or rewrites."""
    made: dict[bytes, list[tuple[int, Definition]]] = {}
    for index, patch in enumerate(patches):
        removed: dict[bytes, bool] = {}
        gone_texts: set[tuple[bytes, bytes]] = set()
        for change in patch.changes:
            for gone in definitions(change, b"-"):
                removed[gone.name] = removed.get(gone.name, True) and gone.local
                gone_texts.add((gone.name, gone.text))
        for change in patch.changes:
            for found in definitions(change):
                if found.kind == "file" or found.name in _KEYWORDS or not _telling(found):
                    continue
                # Made global is introduced; defined anew as far as before is not.
                if found.name in removed and (found.local or not removed[found.name]):
                    if found.kind not in ("function", "macro"):
                        continue
                    if (found.name, found.text) in gone_texts:
                        continue
                    # Whoever uses it elsewhere without being converted was written for the new one.
                    found = replace(found, changed=True)
                made.setdefault(found.name, []).append((index, found))
    return made


def _telling(found: Definition) -> bool:
    """Whether the name is special enough not to be met by chance."""
    if found.kind == "member":
        return len(found.name) >= 8 or (b"_" in found.name.strip(b"_") and len(found.name) >= 5)
    if found.kind in ("variable", "constant"):
        return len(found.name) >= 6 or b"_" in found.name.strip(b"_")
    return len(found.name) >= 3


def _suits(definition: Definition, use: Use) -> bool:
    if definition.local and definition.path != use.path:
        return False
    if use.form == "config" or definition.kind == "config":
        return use.form == "config" and definition.kind == "config"
    if definition.kind == "member" or use.form == "member":
        return definition.kind == "member" and use.form == "member"
    if definition.kind == "function":
        return use.form == "call" or b"_" in use.name.strip(b"_")
    return True


def _first(
    candidates: list[tuple[int, Definition]], place: dict[int, int] | None
) -> tuple[int, Definition] | None:
    if not candidates:
        return None
    if place is not None:
        return min(candidates, key=lambda one: place[one[0]])
    return candidates[0] if len({maker for maker, _ in candidates}) == 1 else None


def _old_names(patches: Sequence[Patch]) -> dict[bytes, bytes]:
    """New path to the path in the base, for files that the series renames."""
    return {
        change.new_path: change.old_path
        for patch in patches
        for change in patch.changes
        if change.kind in ("rename", "copy") and change.new_path and change.old_path
    }


def _file_links(patches: Sequence[Patch], place: dict[int, int] | None) -> Iterator[SymbolLink]:
    made: dict[bytes, list[tuple[int, Definition]]] = {}
    for index, patch in enumerate(patches):
        for change in patch.changes:
            if change.kind in ("create", "rename", "copy") and change.new_path is not None:
                name = change.new_path
                made.setdefault(name.rsplit(b"/", 1)[-1], []).append(
                    (index, Definition("file", name, name, 1))
                )
    if not made:
        return
    for index, patch in enumerate(patches):
        for change in patch.changes:
            for use in file_uses(change):
                candidates = [
                    one
                    for one in made.get(use.name.rsplit(b"/", 1)[-1], ())
                    if _same_file(one[1].name, use)
                ]
                if not candidates or any(maker == index for maker, _ in candidates):
                    continue
                first = _first(candidates, place)
                if first is not None:
                    yield SymbolLink(first[0], index, first[1], use)


def _same_file(path: bytes, use: Use) -> bool:
    """Whether an included or built name can mean ``path``: all its components at the end of it.

    ``asm/foo.h`` is ``asm-<arch>/foo.h``, the link that Xen's and old Linux' builds make.
    """
    wanted = use.name.removeprefix(b"./")
    if path == wanted or path.endswith(b"/" + wanted):
        return True
    if wanted.startswith(b"asm/"):
        return (
            re.search(rb"(?:^|/)asm(?:-\w+)?/" + re.escape(wanted[4:]) + rb"\Z", path) is not None
        )
    here = use.path.rsplit(b"/", 1)[0]
    return path == here + b"/" + wanted
