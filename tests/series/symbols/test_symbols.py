# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names count as introduced and used, and which must not."""

from __future__ import annotations

import pytest

from series.model import Patch
from series.symbols.definitions import definitions
from series.symbols.lexer import clean, language
from series.symbols.links import symbol_links
from series.symbols.uses import uses
from tests.series.strategies import DictBase, change, patch


def defined(text: bytes, path: bytes = b"x/a.c") -> set[tuple[str, bytes, bool]]:
    found = definitions(change(path, b"", text, context=3))
    return {(one.kind, one.name, one.local) for one in found}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"int foo(void)\n{\n}\n", ("function", b"foo", False)),
        (b"static int __init foo(int a,\n", ("function", b"foo", True)),
        (b"static int\nfoo(int a)\n{\n", ("function", b"foo", True)),
        (b"void *foo_bar(void);\n", ("function", b"foo_bar", False)),
        (b"extern bool guest;\n", ("variable", b"guest", False)),
        (b"bool __read_mostly guest;\n", ("variable", b"guest", False)),
        (b"static struct rangeset *mem;\n", ("variable", b"mem", True)),
        (b"unsigned long guest __initdata = 1;\n", ("variable", b"guest", False)),
        (b"DEFINE_PER_CPU(unsigned int, vcpu_id);\n", ("variable", b"per_cpu__vcpu_id", False)),
        (b"DEFINE_XEN_GUEST_HANDLE(port_t);\n", ("type", b"__guest_handle_port_t", False)),
        (b"static DEFINE_SPINLOCK(grant_lock);\n", ("variable", b"grant_lock", True)),
        (b"#define FOO(x) \\\n    bar(x)\n", ("macro", b"FOO", True)),
        (b"struct foo {\n    int a;\n};\n", ("type", b"foo", False)),
        (b"struct foo\n{\n", ("type", b"foo", False)),
        (b"typedef unsigned long pfn_t;\n", ("type", b"pfn_t", False)),
        (b"typedef struct {\n    int a;\n} foo_t;\n", ("type", b"foo_t", False)),
        (b"struct s {\n    uint32_t shim_flags;\n};\n", ("member", b"shim_flags", False)),
        (b"enum e {\n    E_one,\n    E_two = 3,\n};\n", ("constant", b"E_two", False)),
    ],
)
def test_definitions_in_c(text: bytes, name: tuple[str, bytes, bool]) -> None:
    assert name in defined(text)


@pytest.mark.parametrize(
    "text",
    [
        b"    foo(a);\n",
        b"/* int foo(void) */\n",
        b'static const char s[] = "#define foo";\n',
        b"    return foo;\n",
        b"struct foo;\n",
        b"label:\n    int foo;\n",
        b"else if ( foo(x) )\n",
    ],
)
def test_no_definitions(text: bytes) -> None:
    assert not {name for _, name, _ in defined(text)} & {b"foo"}


def test_macros_of_a_header_are_for_all() -> None:
    assert ("macro", b"FOO", False) in defined(b"#define FOO 1\n", b"x/a.h")


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        (b"x/head.S", b"ENTRY(start_pvh)\n", b"start_pvh"),
        (b"x/head.S", b"        .globl foo_bar\n", b"foo_bar"),
        (b"x/head.S", b".macro ELFNOTE name\n", b"ELFNOTE"),
        (b"x/xen.lds.S", b"  _stext2 = .;\n", b"_stext2"),
        (b"x/Kconfig", b'config PV_SHIM\n\tbool "x"\n', b"CONFIG_PV_SHIM"),
        (b"x/t.idl", b'    ("pvshim_path", string),\n', b"pvshim_path"),
    ],
)
def test_definitions_elsewhere(path: bytes, text: bytes, name: bytes) -> None:
    assert name in {found for _, found, _ in defined(text, path)}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (b"    thing(a);\n", "call"),
        (b"    p->thing = 1;\n", "member"),
        (b"    .thing = 1,\n", "member"),
        (b"    x = thing;\n", "plain"),
        (b"    return thing;\n", "plain"),
        (b"#ifdef FOO\n    a(thing);\n", "plain"),
        (b"    struct thing *p;\n", "plain"),
    ],
)
def test_uses(text: bytes, form: str) -> None:
    found = uses(change(b"a.c", b"", text), {b"thing"})
    assert [one.form for one in found] == [form]


@pytest.mark.parametrize(
    "text",
    [
        b"/* thing */\n",
        b"// thing\n",
        b"/*\n * thing of\n */\n",
        b" * thing in the middle of a comment\n",
        b"end of one: thing */\n",
        b'    printk("thing %d\\n", 1);\n',
        b"    int thing = 1;\n",
        b"static struct foo *thing;\n",
        b"void f(int thing)\n",
        b"#include <xen/thing.h>\n",
        b"#ifdef thing\n",
        b"    static int thing;\n    if ( thing >> 1 )\n        thing |= 2;\n",
        b"int f(int thing)\n{\n    return g(thing);\n",
    ],
)
def test_no_uses(text: bytes) -> None:
    assert uses(change(b"a.c", b"", text), {b"thing"}) == []


def test_cleaning_keeps_lines_and_columns() -> None:
    text = b'a /* b\n c */ d "e\\" f" // g\nh\n'
    done = clean(text, "c")
    assert len(done) == len(text)
    assert done.split() == [b"a", b"d", b"h"]
    assert done.count(b"\n") == 3


def test_languages() -> None:
    assert [
        language(path)
        for path in (b"a.c", b"b/xen.lds.S", b"x/Kconfig.debug", b"Rules.mk", b"README")
    ] == [
        "c",
        "asm",
        "kconfig",
        "make",
        "other",
    ]


def links(patches: list[Patch], base: dict[bytes, bytes]) -> list[tuple[int, int, bytes]]:
    found = symbol_links(patches, DictBase(base))
    return [(link.maker, link.user, link.definition.name) for link in found]


HEADER = b"#ifndef H\nint old(void);\n#endif\n"
SOURCE = b"int main(void)\n{\n    return 0;\n}\n"


def adds(path: bytes, old: bytes, line: bytes, at: int) -> Patch:
    lines = old.split(b"\n")
    lines.insert(at, line)
    return patch(line.decode(), change(path, old, b"\n".join(lines)))


def test_prototype_ties_its_caller() -> None:
    patches = [
        adds(b"m.c", SOURCE, b"    shiny(1);", 2),
        adds(b"h.h", HEADER, b"int shiny(int);", 1),
    ]
    assert links(patches, {b"m.c": SOURCE, b"h.h": HEADER}) == [(1, 0, b"shiny")]


def test_what_the_base_knows_ties_nobody() -> None:
    patches = [
        adds(b"m.c", SOURCE, b"    old();", 2),
        adds(b"h.h", HEADER, b"int old(void);", 1),
    ]
    assert links(patches, {b"m.c": SOURCE, b"h.h": HEADER}) == []


def test_a_guest_handle_is_no_type_of_that_name() -> None:
    source = SOURCE + b"port_type f(void);\n"
    patches = [
        adds(b"m.c", source, b"    port_type p = 1;", 2),
        adds(b"n.c", SOURCE, b"    old((XEN_GUEST_HANDLE(port_type))p);", 2),
        adds(b"h.h", HEADER, b"DEFINE_XEN_GUEST_HANDLE(port_type);", 1),
    ]
    base = {b"m.c": source, b"n.c": SOURCE, b"h.h": HEADER}
    assert links(patches, base) == [(2, 1, b"__guest_handle_port_type")]


@pytest.mark.parametrize(
    ("known", "tied"),
    [
        (b"struct thing_info *thing_info(int i);", True),
        (b"    old(this_cpu(thing_info));", False),
        (b"DEFINE_PER_CPU(struct thing_info, thing_info);", False),
    ],
)
def test_a_variable_of_each_processor_is_named_apart(known: bytes, tied: bool) -> None:
    """A struct or a macro of the same name does not hide that it is new."""
    source = SOURCE + known + b"\n"
    patches = [
        adds(b"m.c", source, b"    old(&this_cpu(thing_info), per_cpu(thing_info, 1));", 2),
        adds(b"h.h", HEADER, b"DECLARE_PER_CPU(struct thing_info *, thing_info);", 1),
    ]
    wanted = [(1, 0, b"per_cpu__thing_info")] if tied else []
    assert links(patches, {b"m.c": source, b"h.h": HEADER}) == wanted


def test_static_stays_in_its_file() -> None:
    patches = [
        adds(b"m.c", SOURCE, b"    shiny(1);", 2),
        adds(b"n.c", SOURCE, b"static int shiny(int a)", 0),
    ]
    assert links(patches, {b"m.c": SOURCE, b"n.c": SOURCE}) == []


def test_made_global_is_introduced() -> None:
    old = b"static int shiny(int a)\n{\n}\n"
    patches = [
        adds(b"m.c", SOURCE, b"    shiny(1);", 2),
        patch(
            "export",
            change(b"n.c", old, old.replace(b"static ", b"")),
            change(b"h.h", HEADER, HEADER + b"int shiny(int a);\n"),
        ),
    ]
    assert links(patches, {b"m.c": SOURCE, b"n.c": old, b"h.h": HEADER}) == [(1, 0, b"shiny")]


def test_changed_macro_ties_its_new_users() -> None:
    old = b"#define to_virt(x) (x)\n"
    patches = [
        patch("change", change(b"h.h", old, b"#define to_virt(x) ((void *)(x))\n")),
        adds(b"m.c", SOURCE, b"    p = to_virt(1);", 2),
    ]
    assert links(patches, {b"m.c": SOURCE, b"h.h": old}) == [(0, 1, b"to_virt")]


def test_option_ties_kconfig_make_and_code() -> None:
    kconfig = b"config OLD\n\tbool\n"
    patches = [
        adds(b"Makefile", b"obj-y += a.o\n", b"obj-$(CONFIG_SHIM) += b.o", 1),
        adds(b"m.c", SOURCE, b"#ifdef CONFIG_SHIM", 2),
        patch("kconfig", change(b"Kconfig", kconfig, kconfig + b"\nconfig SHIM\n\tbool\n")),
        patch("dep", change(b"v/Kconfig", b"config VGA\n", b"config VGA\n\tdepends on !SHIM\n")),
    ]
    base = {
        b"Makefile": b"obj-y += a.o\n",
        b"m.c": SOURCE,
        b"Kconfig": kconfig,
        b"v/Kconfig": b"config VGA\n",
    }
    assert [link[:2] for link in links(patches, base)] == [(2, 0), (2, 1), (2, 3)]


def test_new_files_tie_includes_and_objects() -> None:
    patches = [
        adds(b"x/m.c", SOURCE, b"#include <asm/shim.h>", 0),
        adds(b"x/Makefile", b"obj-y += a.o\n", b"obj-$(C) += shim.o", 1),
        patch(
            "files",
            change(b"include/asm-x86/shim.h", None, b"/* */\n"),
            change(b"x/shim.c", None, b"/* */\n"),
        ),
        adds(b"x/n.c", SOURCE, b"#include <asm/other/shim.h>", 0),
    ]
    base = {b"x/m.c": SOURCE, b"x/Makefile": b"obj-y += a.o\n", b"x/n.c": SOURCE}
    assert [link[:2] for link in links(patches, base)] == [(2, 0), (2, 1)]


@pytest.mark.parametrize(
    "line", [b"        jmp     go_on", b"        call    go_on", b"        .long go_on"]
)
def test_an_instruction_uses_the_label_behind_it(line: bytes) -> None:
    """What stands before a name in C is its type."""
    source = (
        b"start:\n        cld\n        ret\n\n        nop\n        nop\n        nop\n        nop\n"
    )
    patches = [adds(b"h.S", source, line, 8), adds(b"h.S", source, b"go_on:", 1)]
    assert links(patches, {b"h.S": source}) == [(1, 0, b"go_on")]
