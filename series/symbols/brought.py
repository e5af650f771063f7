# SPDX-License-Identifier: GPL-2.0-or-later
"""The names that a patch brings: what it defines, and what it declares for others to use.

Not what it uses: of two patches that use a name that neither makes, none brings it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from series.model import FileChange, Patch
from series.symbols.declarations import declared
from series.symbols.definitions import definitions
from series.symbols.lexer import DIRECTIVE, code_lines, language, own_text
from series.symbols.pasted import bare
from series.symbols.words import holds

_PREFIX = b"CONFIG_"
_TYPE_IN_USE = re.compile(rb"\b(?:struct|union|enum)\s+\w+\b(?=\s*[\w*&)(\[,])")
"""``struct foo *bar`` declares ``bar``, and not ``foo``."""
_POINTER_TO_FUNCTION = re.compile(rb"\(\s*\*\s*(\w+)\s*\)\s*(?=\()")
_MACRO_AT_MARGIN = re.compile(
    rb"(?:static\s+)?(?!EXPORT|MODULE)[A-Z][A-Z0-9_]{3,}\s*\(\s*([A-Za-z_]\w*)\s*[,)]"
)
"""``LIST_HEAD(foo);``, ``TRACE_EVENT(foo,``: outside of functions a macro makes what it is given first."""
_PARAMETER = re.compile(
    rb"\b(?!(?:sizeof|typeof|return|new|delete|throw)\b)[A-Za-z_]\w*\s+\**([A-Za-z_]\w*)(?=\s*[,\[=;])"
)
"""``type name`` or ``type *name`` in parentheses: of a function, or of a loop; ``a * b`` is a product."""
_USED_FIRST = re.compile(rb"^\s*\w+(?=\s*[,=:(\[])")
"""An argument, an assignment, a label, a call; constants and functions are known by their definition."""


def made_names(patch: Patch) -> frozenset[bytes]:
    """The names that a patch defines, with what macros make of them."""
    made = {found.name for change in patch.changes for found in definitions(change)}
    return frozenset(made | {bare(name) for name in made})


def brought_names(patch: Patch, names: frozenset[bytes]) -> frozenset[bytes]:
    """Those of ``names`` that a patch defines or declares; ``CONFIG_X`` as Kconfig's ``config X``."""
    words = names | {name.removeprefix(_PREFIX) for name in names}
    changes = [
        change
        for change in patch.changes
        if (text := own_text(change)) and any(holds(text, word) for word in words)
    ]
    if not changes:
        return frozenset()
    lines = (line for change in changes for line in _declaring(change))
    return declared(lines, names) | (made_names(patch) & names)


def _declaring(change: FileChange) -> Iterator[bytes]:
    """The added lines of a change without that by which a use looks like a declaration."""
    in_c = language(change.path) == "c"
    for _, lines in code_lines(change):
        depth = 0
        for line in lines:
            text = line.clean
            if in_c and not DIRECTIVE.match(text):
                by_macro = _MACRO_AT_MARGIN.match(text) if not depth else None
                text = _TYPE_IN_USE.sub(b"int", _POINTER_TO_FUNCTION.sub(rb"\1", text))
                text, inside, depth = _parted(text, depth)
                text = _USED_FIRST.sub(b"", text)
                given = [by_macro[1]] if by_macro is not None else _PARAMETER.findall(inside)
                if given and line.own:
                    yield b"int %s;" % b", ".join(given)
            if line.own:
                yield text


def _parted(text: bytes, depth: int) -> tuple[bytes, bytes, int]:
    """What of a line stands in no parentheses, and what in some, of which ``depth`` are open before it; how
    many are then.  A comma ends what stands in a pair."""
    if not depth and b"(" not in text:
        return text, b"", 0
    kept, inside = bytearray(), bytearray()
    for mark in text:
        if mark == 0x29:  # a hunk may begin inside of some
            depth = max(depth - 1, 0)
            inside += b","
        if not depth:
            kept.append(mark)
        elif mark != 0x29:
            inside.append(mark)
        if mark == 0x28:
            depth += 1
    return bytes(kept), bytes(inside), depth
