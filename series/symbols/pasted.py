# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that a macro makes of its argument, as Xen and Linux have them.

``DEFINE_PER_CPU(int, x)`` defines ``per_cpu__x``, which ``this_cpu(x)`` uses; a guest handle of ``x`` is
the type ``__guest_handle_x``.  So an ``x`` that is something else, a struct or a member, neither makes
nor hides such a name.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from series.symbols.words import holds


class _Family(Struct, frozen=True):
    """``prefix`` goes before the one group of ``makers`` and ``users``; ``sign`` is part of all of these."""

    sign: bytes
    prefix: bytes
    kind: Literal["variable", "type"]
    makers: re.Pattern[bytes]
    users: re.Pattern[bytes]


def _family(
    sign: bytes, prefix: bytes, kind: Literal["variable", "type"], makers: bytes, users: bytes
) -> _Family:
    name = rb"\s*([A-Za-z_]\w*)"
    return _Family(sign, prefix, kind, re.compile(makers + name), re.compile(users + name))


_FAMILIES = (
    _family(
        b"cpu",
        b"per_cpu__",
        "variable",
        rb"\b(?:DEFINE|DECLARE)_PER_CPU\w*\s*\([^()]*,",
        rb"\b\w*(?:per_cpu|this_cpu|[gp]et_cpu_var)\w*\s*\(\s*&?",
    ),
    _family(
        b"GUEST_HANDLE",
        b"__guest_handle_",
        "type",
        rb"\b(?:__)?DEFINE_XEN_GUEST_HANDLE\s*\(",
        rb"\bXEN_GUEST_HANDLE(?:_PARAM|_64)?\s*\(",
    ),
    _family(
        b"COMPAT_HANDLE",
        b"__compat_handle_",
        "type",
        rb"\b(?:__)?DEFINE_COMPAT_HANDLE\s*\(",
        rb"\bCOMPAT_HANDLE(?:_PARAM)?\s*\(",
    ),
)


def pasted_made(text: bytes) -> list[tuple[Literal["variable", "type"], bytes]]:
    """Kind and name of what a text makes in this way."""
    return [(f.kind, f.prefix + name) for f in _FAMILIES for name in f.makers.findall(text)]


def pasted_used(text: bytes) -> list[bytes]:
    """The names that a text uses in this way."""
    return [f.prefix + name for f in _FAMILIES if f.sign in text for name in f.users.findall(text)]


def may_paste(text: bytes) -> bool:
    """False where neither a text nor a part of it uses names in this way."""
    return any(family.sign in text for family in _FAMILIES)


def bare(name: bytes) -> bytes:
    """The argument that a name is made of; the name itself where it is none of these."""
    prefix = next((f.prefix for f in _FAMILIES if name.startswith(f.prefix)), b"")
    return name.removeprefix(prefix)


def mentions(text: bytes, name: bytes) -> bool:
    """Whether a text makes or uses a name, of these or any other."""
    word = bare(name)
    if word not in text:
        return False
    if word != name:
        return name in pasted_used(text) or name in (made for _, made in pasted_made(text))
    return holds(text, name)
