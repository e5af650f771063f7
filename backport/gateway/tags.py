# SPDX-License-Identifier: GPL-2.0-or-later
"""Annotated tags, made as ``git tag -a`` and ``git tag -s`` make them, but as an object first: so its id can
be noted before a ref names it.
"""

from __future__ import annotations

from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.gateway.signing import find_signer
from series.model import Oid

_SWITCHES = ("commit.gpgsign", "tag.gpgsign")


def tag_object(repo: Repo, name: str, commit: Oid, who: Signature, message: str) -> Oid:
    """The object of a tag, stored; signed, at its end, if the user signs commits or tags.

    Raises `SigningFailed`.
    """
    head = (
        b"object " + commit.encode(),
        b"type commit",
        b"tag " + name.encode("utf-8", "surrogateescape"),
        b"tagger " + who.raw(),
    )
    raw = b"\n".join(head) + b"\n\n" + message.encode() + b"\n"
    signer = find_signer(repo, who, _SWITCHES)
    if signer is not None:
        raw += signer.sign(raw) + b"\n"
    made = repo.objects.write_tag(raw)
    repo.objects.store()
    return made


def name_tag(repo: Repo, name: str, made: Oid) -> None:
    """Have ``refs/tags/NAME`` name it.  Raises `GitFailed` where that is there already."""
    repo.git("update-ref", f"refs/tags/{name}", made, "0" * len(made))
