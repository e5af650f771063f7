# SPDX-License-Identifier: GPL-2.0-or-later
"""Each operator on a small source: the texts that it makes, and nothing else."""

from __future__ import annotations

import re

import pytest

from tests.mutation.mutants import changed, draw, mutants, select, world_of
from tests.mutation.operators import OPERATORS
from tests.mutation.source import Source

HEADER = """
struct call { uint32_t port; uint32_t vcpu; void *arg; };
#define OP_send 1
#define OP_close 2
"""


def made(operator: str, body: str, head: str = "int f(struct d *d, int rc)") -> list[str]:
    """The bodies that an operator makes of one, white space made single."""
    source = Source("core.c", f"{head}\n{{\n{body}\n}}\n")
    make, world = OPERATORS[operator], world_of([HEADER])
    texts = [changed(source, edit) for f in source.functions for edit in make(source, f, world)]
    return [
        re.sub(r"\s+", " ", text[text.index("{") + 1 : text.rindex("}")]).strip() for text in texts
    ]


ROWS: list[tuple[str, str, list[str]]] = [
    ("check dropped", "if ( bad(rc) ) return -EINVAL; go();", ["; go();"]),
    ("check dropped", "if ( bad(rc) ) go(); else return 1;", []),
    ("condition part dropped", "if ( rc && d ) go();", ["if ( d ) go();", "if ( rc ) go();"]),
    ("guard dropped", "if ( !rc ) rc = step(d);", ["rc = step(d);"]),
    (
        "lock dropped",
        "spin_lock(&d->l); go(); spin_unlock(&d->l);",
        ["; go(); spin_unlock(&d->l);"],
    ),
    (
        "unlock dropped",
        "spin_lock(&d->l); go(); spin_unlock(&d->l);",
        ["spin_lock(&d->l); go(); ;"],
    ),
    (
        "not given back",
        "free_page(rc); close_port(rc); go();",
        ["; close_port(rc); go();", "free_page(rc); ; go();"],
    ),
    (
        "call dropped",
        "go(); free_page(rc); ASSERT(rc); printk(x);",
        ["; free_page(rc); ASSERT(rc); printk(x);"],
    ),
    ("assignment dropped", "int x = 1; rc = x;", ["int x = 1; ;"]),
    ("initialiser dropped", "int x = 1;", ["int x ;"]),
    (
        "initialiser dropped",
        "struct call c = { .port = 1, .vcpu = rc };",
        [
            "struct call c ;",
            "struct call c = { .port = 0, .vcpu = rc };",
            "struct call c = { .port = 1, .vcpu = 0 };",
            "struct call c = { .vcpu = rc };",
            "struct call c = { .port = 1 };",
        ],
    ),
    ("copy dropped", "if ( __copy_to_guest(arg, &rc, 1) ) rc = 1;", ["if ( 0 ) rc = 1;"]),
    (
        "falls through",
        "switch ( rc ) { case 1: go(); break; case 2: return 3; default: rc = 1; }",
        [
            "switch ( rc ) { case 1: go(); ; case 2: return 3; default: rc = 1; }",
            "switch ( rc ) { case 1: go(); break; case 2: 3; default: rc = 1; }",
        ],
    ),
    (
        "case dropped",
        "switch ( rc ) { case 1: return 2; default: go(); }",
        ["switch ( rc ) { default: go(); }"],
    ),
    ("condition negated", "if ( rc ) go();", ["if ( !( rc ) ) go();"]),
    ("condition negated", "return rc ? 1 : 2;", ["return !( rc ) ? 1 : 2;"]),
    ("error code lost", "rc = go(); return rc;", ["rc = go(); return 0;", "go(); return rc;"]),
    ("error code lost", "return -EFAULT;", ["return 0;"]),
    ("error code wrong", "return -EFAULT;", ["return -EINVAL;", "return EFAULT;"]),
    ("off by one", "if ( rc < 4 ) go();", ["if ( rc <= 4 ) go();", "if ( rc < 5 ) go();"]),
    ("wrong operator", "rc = rc << 2 | -3;", ["rc = rc >> 2 | -3;", "rc = rc << 2 & -3;"]),
    ("wrong constant", "op(OP_send, true);", ["op(OP_close, true);", "op(OP_send, false);"]),
    ("argument swapped", "op(rc, &rc, rc);", ["op(&rc, rc, rc);", "op(rc, rc, &rc);"]),
    ("wrong variable", "long n = 0; go(n);", ["long n = 0; go(rc);"]),
    ("wrong field", "struct call c; go(c.port);", ["struct call c; go(c.vcpu);"]),
    (
        "wrong size",
        "copy_from_guest(&rc, d, 1); copy_to_user(d, &rc, sizeof(rc));",
        [
            "copy_from_guest(&rc, d, 0); copy_to_user(d, &rc, sizeof(rc));",
            "copy_from_guest(&rc, d, 2); copy_to_user(d, &rc, sizeof(rc));",
            "copy_from_guest(&rc, d, 1); copy_to_user(d, &rc, sizeof(rc) / 2);",
            "copy_from_guest(&rc, d, 1); copy_to_user(d, &rc, sizeof(rc) * 2);",
            "copy_from_guest(&rc, d, 1); copy_to_user(d, &rc, sizeof(void *));",
        ],
    ),
    (
        "type narrowed",
        "uint64_t x = (unsigned long)d;",
        ["uint32_t x = (unsigned long)d;", "uint64_t x = (uint32_t)d;"],
    ),
    (
        "early return",
        "spin_unlock(&d->l); return done(d, rc);",
        [
            "if ( rc ) return rc; spin_unlock(&d->l); return done(d, rc);",
            "spin_unlock(&d->l); return rc;",
        ],
    ),
    ("steps in the wrong order", "one(); two(); return rc;", ["two(); one(); return rc;"]),
    (
        "loop ends too early",
        "for ( rc = 0; rc < 3; rc++ ) go();",
        ["for ( rc = 0; rc < 3; rc++ ) { go(); break; }", "for ( rc = 1; rc < 3; rc++ ) go();"],
    ),
]


@pytest.mark.parametrize(("operator", "body", "wanted"), ROWS)
def test_operator(operator: str, body: str, wanted: list[str]) -> None:
    head = "int f(struct d *d, int rc)"
    if operator in ("early return", "error code lost"):
        head, body = "int f(struct d *d)", "int rc; " + body
        wanted = ["int rc; " + text for text in wanted]
    found = made(operator, body, head)
    if operator == "type narrowed":  # the parameter is another row's
        found = [text for text in found if text != body]
    assert found == wanted


def test_the_guests_pointer_is_handed_on() -> None:
    head = "int f(XEN_GUEST_HANDLE_PARAM(void) arg)"
    operator = "guest's pointer handed on"
    assert made(operator, "return xen_hypercall(OP_send, &copy);", head) == [
        "return xen_hypercall(OP_send, arg.p);"
    ]


def test_guest_access_macros() -> None:
    text = '#define put(x) \\\n    asm ( STAC \\\n "3: movl %3, %0\\n" \\\n _ASM_EXTABLE(1b, 3b) CLAC )\n'
    found = list(mutants([Source("u.h", text)], world_of([])))
    names = {m.operator for m in found}
    assert {"stac or clac dropped", "fault not caught"} <= names
    assert all(m.text.count("\\\n") == text.count("\\\n") for m in found)


def test_every_operator_has_a_row() -> None:
    elsewhere = {"guest's pointer handed on", "stac or clac dropped", "fault not caught"}
    assert {name for name, _, _ in ROWS} | elsewhere == set(OPERATORS)


def test_mutants_have_names_keep_lines_and_are_told_apart() -> None:
    source = Source(
        "core.c", "int f(int rc)\n{\n    if ( rc )\n        return 1;\n    return rc;\n}\n"
    )
    found = list(mutants([source], world_of([])))
    assert len({m.name for m in found}) == len({m.text for m in found}) == len(found)
    assert all(m.text.count("\n") == source.text.count("\n") for m in found)
    dropped = next(m for m in found if m.operator == "check dropped")
    assert (dropped.name, dropped.line) == ("check dropped: f 1", 3)
    assert dropped.change == "if ( rc ) return 1; => ;"


def test_what_is_printed_or_asserted_is_left_alone() -> None:
    text = 'int f(bool rc)\n{\n    printk("%d", rc + 1);\n    ASSERT(rc > 1);\n}\n'
    assert list(mutants([Source("core.c", text)], world_of([HEADER]))) == []


def test_a_selection_is_the_same_every_time_and_takes_every_operator_first() -> None:
    body = (
        "if ( rc < 3 ) return -EINVAL; rc = go(d, rc); free_page(rc); spin_lock(&d->l); return rc;"
    )
    source = Source("core.c", f"int f(struct d *d, int rc)\n{{\n{body}\n}}\n")
    found = list(mutants([source], world_of([HEADER])))
    operators = {m.operator for m in found}
    chosen = select(found, len(operators))
    assert {m.operator for m in chosen} == operators
    assert chosen == select(found, len(operators))
    assert select(found, None) == found


def test_mutants_drawn_with_a_seed() -> None:
    source = Source("core.c", "int f(int rc)\n{\nif ( rc < 3 ) return -EINVAL; return rc + 1;\n}\n")
    found = list(mutants([source], world_of([HEADER])))
    chosen = draw(found, 3, 7)
    assert chosen == draw(found, 3, 7) == [one for one in found if one in chosen]
    assert len({tuple(m.name for m in draw(found, 3, seed)) for seed in range(9)}) > 1
    assert draw(found, None, 7) == found
