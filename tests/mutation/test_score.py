# SPDX-License-Identifier: GPL-2.0-or-later
"""From a tree to a score: a handful of mutants of the real sample, and how fates are counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emu.object import emulate_object
from tests.mutation.build import CORE, HEADERS, Tree, fingerprint
from tests.mutation.judge import (
    PROFILE,
    Fate,
    Judged,
    Original,
    Reason,
    explained,
    judge,
    key_of,
    original,
)
from tests.mutation.mutants import Mutant
from tests.mutation.outside import Outside, commands
from tests.mutation.reasons import FILE, read_reasons
from tests.mutation.report import lines, score
from tests.mutation.run import sample_tree

pytestmark = [pytest.mark.xdist_group("the sample's mutants"), pytest.mark.torture]
"""They share a tree that is built, and are about the harness alone."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return sample_tree(tmp_path_factory.mktemp("mutation"))


@pytest.fixture(scope="module")
def base(tree: Tree) -> Original:
    return original(tree)


def mutant(tree: Tree, name: str) -> Mutant:
    return next(m for m in tree.mutants() if m.name == name)


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("unlock dropped: finish_port 1", "locks"),
        ("not given back: map_grant_frame 1", "resources"),
        ("stac or clac dropped: put_user_asm 2", "SMAP"),
        ("wrong field: shim_bind_ipi 3", "ports agree"),
    ],
)
def test_killed(tree: Tree, base: Original, name: str, by: str) -> None:
    judged = judge(tree, base, mutant(tree, name))
    assert (judged.fate, judged.by) == (Fate.KILLED, by), judged


def test_a_tree_that_its_own_make_builds(tree: Tree, base: Original, tmp_path: Path) -> None:
    """Both levels look at the mutant, and what is wrong in the original counts for nothing."""
    outside = Outside.at(tree.root, ("make",), tmp_path)
    before = (tree.root / CORE).read_text()
    one = mutant(tree, "unlock dropped: finish_port 1")
    judged = judge(outside, base, one, both=True)
    assert (judged.fate, judged.by, judged.levels) == (Fate.KILLED, "locks", (True, True))
    assert judge(outside, base, replace(one, text="#error no\n")).fate is Fate.NOT_COMPILED
    assert (tree.root / CORE).read_text() == before

    data = outside.compile(CORE, one.text)
    assert data is not None
    wrong = emulate_object(data, tree.profile(PROFILE), depth="explore").findings
    assert wrong
    assert judge(tree, replace(base, known=frozenset(map(key_of, wrong))), one).by != "locks"


def test_other_machines_are_asked_last(tree: Tree, base: Original) -> None:
    """What nothing else sees: here, that the original has come to its guest in another way."""
    one = mutant(tree, "unlock dropped: finish_port 1")
    text = (tree.root / CORE).read_text()
    assert base.machines
    changed = replace(base, machines=tuple(replace(row, note="other") for row in base.machines))
    judged = judge(tree, changed, replace(one, text=text.replace("L0 keeps port", "L0 kept port")))
    assert (judged.fate, judged.by) == (Fate.KILLED, "deep")


def test_what_make_prints() -> None:
    """Folders entered and left, lines that go on, outputs from where make is and from the root."""
    printed = """make[1]: Entering directory '/t/pv'
gcc -c core.c -o core.o
make[1]: Leaving directory '/t/pv'
ld -r \\
    -o all.o pv/core.o
echo "a script's -o
ld all.o -o /t/image
"""
    found = list(commands(printed, Path("/t")))
    assert [(c.folder, c.made) for c in found] == [
        ("/t/pv", "/t/pv/core.o"),
        ("/t", "/t/all.o"),
        ("/t", "/t/image"),
    ]
    assert [c.uses("/t/pv/core.o") for c in found] == [False, True, False]


def test_does_not_compile_and_the_same_object(tree: Tree, base: Original) -> None:
    one = mutant(tree, "unlock dropped: finish_port 1")
    text = (tree.root / CORE).read_text()
    assert judge(tree, base, replace(one, text="#error no\n")).fate is Fate.NOT_COMPILED
    assert judge(tree, base, replace(one, text=text + "/* */\n")).fate is Fate.EQUIVALENT
    header = HEADERS[0]
    changed = (tree.root / header).read_text() + "#define NOTHING_USES_THIS 1\n"
    assert judge(tree, base, replace(one, path=header, text=changed)).fate is Fate.EQUIVALENT


def test_the_tree_is_not_written_to(tree: Tree) -> None:
    files = [*(tree.root / "xen").rglob("*.[cho]"), tree.root / "xen/xen-syms"]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert tree.original() and tree.image(tree.original())
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_the_fingerprint_sees_code_data_and_relocations(tree: Tree) -> None:
    text = (tree.root / CORE).read_text()
    plain = fingerprint(tree.original())
    for old, new in (
        ("return -E2BIG;", "return -EFAULT;"),
        ("bool pv_shim;", "bool pv_shim = true;"),
        ("consoled_guest_rx();", "consoled_setup();"),
        ('"L0 keeps port %u\\n"', '"L0 kept port %u\\n"'),
    ):
        assert old in text
        made = tree.compile(CORE, text.replace(old, new, 1))
        assert made is not None and fingerprint(made) != plain, old


def _judged(name: str, fate: Fate, by: str = "") -> Judged:
    one = Mutant(name, name.split(":")[0], Path(CORE).name, 1, "a", "b", "")
    return Judged(one, fate, by)


def test_the_score_counts_what_compiles_and_differs() -> None:
    judged = [
        _judged("x: f 1", Fate.KILLED, "locks"),
        _judged("x: f 2", Fate.KILLED, "lost"),
        _judged("y: f 1", Fate.SURVIVED),
        _judged("y: f 2", Fate.EQUIVALENT),
        _judged("y: f 3", Fate.NOT_COMPILED),
    ]
    assert score(judged) == 2 / 3
    text = "\n".join(lines(judged, 4.0))
    assert "mutation score 66.7%: 2 of 3 killed" in text
    assert "survived: y: f 1 (shim.c:1): a => b\n      not explained" in text


def test_a_reason_is_for_one_change() -> None:
    judged = [_judged("y: f 1", Fate.SURVIVED), _judged("y: f 2", Fate.SURVIVED)]
    reasons = {
        "y: f 1": Reason("a => b", "no one can tell", True),
        "y: f 2": Reason("a => other", "of another text", True),
    }
    first, second = explained(judged, reasons)
    assert (first.fate, first.detail) == (Fate.EQUIVALENT, "no one can tell")
    assert (second.fate, second.detail) == (Fate.SURVIVED, "")


def test_every_reason_speaks_of_a_mutant_that_there_is(tree: Tree) -> None:
    changes = {m.name: m.change for m in tree.mutants()}
    reasons = read_reasons(FILE.read_text())
    assert reasons
    assert {name: reason.change for name, reason in reasons.items()} == {
        name: changes.get(name) for name in reasons
    }
    assert all(len(reason.text) > 20 for reason in reasons.values())
