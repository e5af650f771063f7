# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths that a stranger's patch must not reach."""

from __future__ import annotations

import pytest

from series.reading.paths import path_fault, strip_components, unquote


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (b"", "empty"),
        (b"/etc/passwd", "absolute"),
        (b"../x", "leaves"),
        (b"a/../../x", "leaves"),
        (b"a//b", "component"),
        (b"./a", "component"),
        (b"a/", "component"),
        (b".git/config", "repository"),
        (b"sub/.GIT/hooks/x", "repository"),
        (b"git~1/config", "repository"),
        (b"GIT~1", "repository"),
        (b".git ./x", "repository"),
        (b".git::$INDEX_ALLOCATION/x", "repository"),
        (".g\u200cit/config".encode(), "repository"),
        (b"a\0b", "NUL"),
        (b"a" * 5000, "long"),
        (b"/".join([b"a"] * 257), "257 components deep"),
        (b"d/" + b"a" * 256, "component of 256 bytes"),
        (b"a\\..\\..\\x", "leaves"),
        (b"a\\.git\\config", "repository"),
    ],
)
def test_refused(path: bytes, word: str) -> None:
    fault = path_fault(path)
    assert fault is not None
    assert word in fault


@pytest.mark.parametrize(
    "path",
    [b"a", b"xen/arch/x86/pv/shim.c", b".gitignore", b"a b", b"..a", b"\xff", b"x/.gitattributes"],
)
def test_allowed(path: bytes) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (rb'"a\303\266b" rest', (b"a\xc3\xb6b", b" rest")),
        (rb'"\t\"\\"', (b'\t"\\', b"")),
        (rb'"\000"', (b"\0", b"")),
        (rb'"open', None),
        (rb'"bad \q"', None),
        (b"plain", None),
    ],
)
def test_unquote(text: bytes, result: tuple[bytes, bytes] | None) -> None:
    assert unquote(text) == result


def test_strip() -> None:
    assert strip_components(b"a/b/c", 1) == b"b/c"
    assert strip_components(b"a/b/c", 0) == b"a/b/c"
    assert strip_components(b"a", 1) is None
