# SPDX-License-Identifier: GPL-2.0-or-later
"""`check` where nothing staged concerns it: the quick answer is the thorough one's, at a small cost."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from backport.commands import check as command
from backport.sample.write import write_sample
from backport.validate import reach
from emu.core_source import core_source
from emu.profile import builtin_profiles, load_profile
from tests.backport.trees import backport, git, new_repo
from tests.bench.timing import processor

BARE = "import typer\napp = typer.Typer()\n@app.command()\ndef a() -> None: ...\napp()\n"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On the branch that has the core."""
    folder = tmp_path_factory.mktemp("sample") / "shim"
    write_sample(folder)
    words = ("apply", "--branch", "stable-4.10", "--to", "done", "--validate", "none")
    assert backport(folder, *words).exit_code == 0
    git(folder, "checkout", "-q", "done")
    return folder


@pytest.mark.parametrize(
    ("paths", "reaches"),
    [
        ((), False),
        (("README",), False),
        (("xen/arch/x86/domain_build.c",), False),
        (("xen/arch/x86/pv/shim.c",), True),
        (("xen/include/xen/event.h",), True),
        (("xen/arch/x86/domain_build.c", "Makefile"), True),
        (("CMakeLists.txt",), True),
    ],
)
def test_the_quick_answer_is_the_thorough_one(
    sample: Path, monkeypatch: pytest.MonkeyPatch, paths: tuple[str, ...], reaches: bool
) -> None:
    for path in paths:
        with (sample / path).open("a") as file:
            file.write("\n")
        git(sample, "add", path)
    try:
        looked = command._nothing_to_do(sample, None, None, None, "-")
        assert looked is not reaches
        git(sample, "config", "backport.build", "echo no >&2; exit 1")
        quick = backport(sample, "check")
        monkeypatch.setattr(command, "_nothing_to_do", lambda *_: False)
        thorough = backport(sample, "check")
        assert (quick.exit_code, quick.output) == (thorough.exit_code, thorough.output)
        assert quick.exit_code == int(reaches)
        assert ("build failed: exit 1" in quick.output) == reaches
    finally:
        git(sample, "reset", "-q", "--hard")


def test_what_includes_more_than_can_be_read_has_it_all(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sample / "xen/arch/x86/other.c").write_text("\n")
    git(sample, "add", "-A")
    git(sample, "config", "backport.build", "true")
    try:
        assert command._nothing_to_do(sample, None, None, None, "-")
        monkeypatch.setattr(reach, "_MOST_INCLUDES", 1)
        assert not command._nothing_to_do(sample, None, None, None, "-")
    finally:
        git(sample, "reset", "-q", "--hard")


@pytest.mark.parametrize(
    ("maker", "text"),
    [
        ("xen/include/Makefile", "x.h:\n\techo '#include <xen/made.h>' >$@\n"),
        ("xen/tools/header.py", 'print("""#include <xen/made.h>""")\n'),
        ("xen/Rules.mk", "CFLAGS += -include $(BASEDIR)/include/xen/made.h\n"),
    ],
)
def test_what_makefiles_put_into_a_generated_header(sample: Path, maker: str, text: str) -> None:
    """Xen's xen/compat.h: every compat header includes it, and none is in the tree."""
    git(sample, "config", "backport.build", "true")
    before = git(sample, "rev-parse", "HEAD")
    for path, content in ((maker, text), ("xen/include/xen/made.h", "\n")):
        (sample / path).parent.mkdir(parents=True, exist_ok=True)
        (sample / path).write_text(content)
    git(sample, "add", "-A")
    git(sample, "commit", "-qm", "generated")
    (sample / "xen/include/xen/made.h").write_text("#define X\n")
    git(sample, "add", "-A")
    try:
        assert not command._nothing_to_do(sample, None, None, None, "-")
    finally:
        git(sample, "reset", "-q", "--hard", before)


@pytest.mark.parametrize("words", [("check",), ("status",)])
def test_what_is_not_needed_is_not_loaded(sample: Path, words: tuple[str, ...]) -> None:
    heavy = {"git", "pygit2", "unidiff", "networkx", "unicorn", "rich", "elftools", "email"}
    code = (
        "import sys; sys.argv = ['backport', *sys.argv[1:]]\n"
        "from backport.cli import app\n"
        "try: app()\nexcept SystemExit as end: code = end.code\n"
        f"print(code, sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "-C", str(sample)], capture_output=True, text=True
    )
    assert done.stdout.endswith("0 []\n"), done.stdout + done.stderr


@pytest.mark.torture
def test_the_cost_beside_a_bare_program(sample: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.py"
    bare.write_text(BARE)

    def spent(*words: str) -> float:
        run = [sys.executable, *words]
        return processor(lambda: subprocess.run(run, capture_output=True, check=True))

    for most, verb in ((2.0, "check"), (2.5, "status")):
        rates = []
        for _ in range(5):
            reference = spent(str(bare))
            rates.append(spent("-m", "backport", verb, "-C", str(sample)) / reference)
        assert statistics.median(rates) <= most, (verb, rates)


@pytest.mark.parametrize("name", builtin_profiles())
def test_the_core_that_a_profile_names(name: str, tmp_path: Path) -> None:
    assert core_source(name) == load_profile(name).core_source
    file = tmp_path / "own.toml"
    file.write_text(f'name = "x"\n[core]\nsource = "{name}.c"\n[constants]\nA = 1\n')
    assert core_source(str(file)) == f"{name}.c"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A tree without such a core."""
    repo = new_repo(tmp_path / "r", {"f.c": "int x;\n", "README": "1\n"})
    git(repo, "config", "backport.build", "cc -c f.c")
    return repo


def test_a_tree_without_a_core_is_built_and_no_more(plain: Path) -> None:
    for n in (1, 2):
        (plain / "f.c").write_text(f"int x = {n};\n")
        git(plain, "commit", "-qam", f"c{n}")
    done = backport(plain, "check", "--range", "HEAD~2..HEAD")
    assert done.exit_code == 0, done.output
    assert "shim.o" not in done.output
    assert done.output.count("there is no core to emulate") == 1
    (plain / "f.c").write_text("int x = y;\n")
    git(plain, "add", "f.c")
    staged = backport(plain, "check")
    assert staged.exit_code == 1
    assert staged.output.startswith("build failed: exit ")
    assert "core" not in staged.output.splitlines()[0]


def test_documents_are_not_built_in_such_a_tree(plain: Path) -> None:
    git(plain, "config", "backport.build", "exit 1")
    (plain / "README").write_text("2\n")
    git(plain, "add", "README")
    done = backport(plain, "check")
    assert done.exit_code == 0
    assert done.output == "checked: 1 path, 0 patches; documents alone, which no build reads\n"


def test_a_series_that_does_not_build_is_called_that(plain: Path) -> None:
    git(plain, "checkout", "-q", "-b", "topic")
    (plain / "f.c").write_text("int x = y;\n")
    git(plain, "commit", "-qam", "breaks")
    done = backport(plain, "apply", "--branch", "stable", "stable..topic")
    assert done.exit_code == 1
    assert "'breaks', does not build; stable was not moved:" in done.output
    (plain / "f.c").write_text("int x = z;\n")
    git(plain, "commit", "-qam", "breaks as well")
    more = backport(plain, "apply", "--branch", "stable", "stable..topic", "-k")
    assert "'breaks', does not build, and 1 step behind it; stable was" in more.output


def test_a_range_is_by_default_what_upstream_does_not_have(plain: Path) -> None:
    none = backport(plain, "check", "--range")
    assert none.exit_code == 2
    assert "has no upstream" in none.output
    git(plain, "checkout", "-q", "-b", "topic", "--track", "stable")
    (plain / "f.c").write_text("int x = 3;\n")
    git(plain, "commit", "-qam", "three")
    for words in (("--range",), ("-r", "-V", "build"), ("--range", "@{upstream}..")):
        done = backport(plain, "check", *words)
        assert done.exit_code == 0, done.output
        assert "1 of 1 commit checked" in done.output
