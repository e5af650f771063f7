# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that declare a name, and lines that have it for another reason."""

from __future__ import annotations

import pytest

from series.symbols.declarations import declared, sought

DECLARING = [
    b"void helper(void);",
    b"static inline int helper(struct foo *a)",
    b"helper(int a,",
    b"    unsigned long *helper;",
    b"    uint8_t pad, helper : 4;",
    b"extern const char helper[];",
    b"#define helper(x) (x)",
    b"#  define helper",
    b"struct helper {",
    b"enum helper;",
    b"    helper = 3,",
    b"    helper,",
    b"DEFINE_PER_CPU(int, helper);",
    b"ENTRY(helper)",
    b"helper:",
    b"helper := a.o",
    b"helper += b.o",
    b"def helper(self):",
    b"typedef int helper;",
    b"} helper;",
    b"    } helper[4];",
    b"    struct { int x; } helper;",
]
USING = [
    b"helper",
    b"    helper;",
    b"    helper();",
    b"helper();",
    b"    return helper;",
    b"    goto helper;",
    b"    x = a * helper;",
    b"    if ( helper == 3 )",
    b" * uses the helper, where there is one",
    b"    f(helper, 1);",
    b"    case helper:",
    b"    if helper == 3",
    b"    } helper(3);",
    b"    } while ( helper );",
]


@pytest.mark.parametrize("line", DECLARING)
def test_a_line_that_declares(line: bytes) -> None:
    assert declared([line], frozenset([b"helper"])) == {b"helper"}


@pytest.mark.parametrize("line", USING)
def test_a_line_that_does_not(line: bytes) -> None:
    assert declared([line], frozenset([b"helper"])) == frozenset()


def test_an_option_is_declared_under_its_own_name() -> None:
    wanted = frozenset([b"CONFIG_SHIM"])
    assert sought(wanted) == {b"CONFIG_SHIM", b"SHIM"}
    assert declared([b"config SHIM"], wanted) == wanted
    assert declared([b"#ifdef CONFIG_SHIM", b"SHIM"], wanted) == frozenset()
