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

from msgspec import Struct
from msgspec.structs import replace

from series.model import Base, Patch
from series.symbols.definitions import Definition, definitions
from series.symbols.lexer import KEYWORDS
from series.symbols.pasted import mentions
from series.symbols.uses import Use, file_uses, uses


class SymbolLink(Struct, frozen=True):
    """Patch ``user`` needs the name that patch ``maker`` introduces."""

    maker: int
    user: int
    definition: Definition
    use: Use


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
            olds[name, path] = known = mentions(texts[path], name)
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
        brought = [found for change in patch.changes for found in definitions(change)]
        if not brought:
            continue
        removed: dict[bytes, bool] = {}
        gone_texts: set[tuple[bytes, bytes]] = set()
        for change in patch.changes:
            for gone in definitions(change, b"-"):
                removed[gone.name] = removed.get(gone.name, True) and gone.local
                gone_texts.add((gone.name, gone.text))
        for found in brought:
            if found.kind == "file" or found.name in KEYWORDS or not _telling(found):
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
