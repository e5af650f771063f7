# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps built by their changed commands alone: the objects are those of a clean build, or it is one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from backport.builds.recorded.contents import Contents
from backport.builds.recorded.recording import Touched
from backport.builds.recorded.replay import Replay, Tally
from backport.builds.recorded.storage import Writer, load
from backport.builds.recorded.watch import read_log, watcher, works
from backport.builds.step_build import BuildTree, Built
from backport.gateway.repository import Repo
from backport.levels import SandboxUse
from backport.sample.write import write_sample
from backport.store.cache import Cache
from backport.verdicts import State
from series.model import Oid
from tests.backport.trees import Files, backport, branch_with, git, new_repo, open_repo

MAKE = "make -j2 -s CC='gcc -fdebug-prefix-map=$(CURDIR)=/tree'"
"""Two worktrees, and the same bytes: the folder is in the debug information else."""

TREE: Files = {
    "Makefile": """\
CFLAGS := -O1 -g -Iover -Iinclude -MMD
VERSION := $(shell cat version)
OBJS := main.o util.o gen.o
all: app.sum
%.o: %.c
\t./wrap.sh $(CC) $(CFLAGS) -c $< -o $@
gen.c: gen.sh table
\tsh gen.sh < table > gen.c.new
\tif cmp -s gen.c.new gen.c; then rm gen.c.new; else mv gen.c.new gen.c; fi
app: $(OBJS)
\tld -r -o .app.0 $(OBJS)
\tobjcopy --add-section .v=version .app.0 app
\trm -f .app.[0-9]*
app.sum: app
\tcksum < app > app.sum
\ttest -s app.sum
-include $(OBJS:.o=.d)
""",
    "version": "1\n",
    "wrap.sh": '#!/bin/sh\nexec "$@"\n',
    "main.c": '#include "util.h"\n#include "config.h"\nint main_value = UTIL + CONFIG;\n',
    "util.c": '#include "util.h"\nint util_value = UTIL;\n',
    "include/util.h": "#define UTIL 1\n",
    "include/one.h": "#define CONFIG 10\n",
    "include/two.h": "#define CONFIG 20\n",
    "over/README": "headers that go before the others\n",
    "gen.sh": 'while read -r name value; do echo "int $name = $value;"; done\n',
    "table": "a 1\nb 2\n",
}


@dataclass
class Bench:
    """A kept worktree that learns, and a clean one to compare with."""

    repo: Repo
    tree: BuildTree
    reference: Path

    @classmethod
    def of(cls, folder: Path, command: str = MAKE, *, boxed: bool = True) -> Bench:
        repo = open_repo(folder)
        cache = Cache(repo.state_dir / "cache")
        reference = repo.state_dir / "reference"
        tree = BuildTree(
            repo,
            cache,
            command,
            {},
            timeout=120,
            boxed=SandboxUse.AUTO if boxed else SandboxUse.OFF,
            replay=True,
        )
        if not reference.exists():
            git(folder, "worktree", "add", "-q", "--detach", str(reference))
        return cls(repo, tree, reference)

    @property
    def replay(self) -> Replay:
        assert self.tree.replay is not None
        return self.tree.replay

    @property
    def tally(self) -> Tally:
        return self.replay.tally

    def build(self, revision: str) -> Built:
        """Build; a verdict that is kept does not count."""
        shutil.rmtree(self.repo.state_dir / "cache", ignore_errors=True)
        return self.tree.build(self.repo.commit(revision))

    def clean(self, revision: str) -> Mapping[str, bytes]:
        """Every file of a clean build."""
        git(self.reference, "checkout", "-q", "--force", "--detach", revision)
        git(self.reference, "clean", "-fdxq")
        subprocess.run(self.tree.command, shell=True, cwd=self.reference, check=True)
        return contents(self.reference)

    def same(self, revision: str) -> None:
        ours, clean = contents(self.tree.folder), self.clean(revision)
        assert {p for p in ours.keys() | clean.keys() if ours.get(p) != clean.get(p)} == set()


def followed(bench: Bench, folder: Path, name: str, text: str) -> None:
    """One more commit, in which a file has another text: built, and all files are a clean build's."""
    (folder / name).write_text(text)
    git(folder, "commit", "-qam", name)
    commit = git(folder, "rev-parse", "HEAD").strip()
    assert bench.build(commit).verdict.state is State.PASSED
    bench.same(commit)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".git"
    }


@pytest.fixture(scope="module", autouse=True)
def watched(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("watcher")
    binary, why = watcher(folder)
    why = why if binary is None else works(binary, (), folder / "log")
    if why:
        pytest.skip(why)  # a container may forbid ptrace; the tool builds in full there


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_repo(tmp_path_factory.mktemp("small") / "tree", TREE)
    (folder / "wrap.sh").chmod(0o755)
    (folder / "include/config.h").symlink_to("one.h")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "mode and link")
    return folder


def step(small: Path, name: str, files: Files) -> str:
    """A branch of one commit on the base."""
    branch_with(small, name, "stable", (name, files))
    return name


CHANGED: list[tuple[str, Files, int]] = [
    ("source", {"main.c": "int main_value = 7;\n"}, 4),
    ("equal", {"util.c": '#include "util.h"\nint util_value = 1;\n'}, 1),
    ("header", {"include/util.h": "#define UTIL 2\n"}, 5),
    ("shadow", {"over/util.h": "#define UTIL 3\n"}, 5),
    ("table", {"table": "a 1\nb 3\n"}, 5),
    ("table-equal", {"table": "a  1\nb  2\n"}, 1),
    ("generator", {"gen.sh": 'while read -r name value; do echo "long $name;"; done\n'}, 5),
    ("wrapper", {"wrap.sh": '#!/bin/sh\nexec "$@" -DWRAPPED\n'}, 3),
    ("unread", {"over/README": "nobody reads this\n"}, 0),
]


@pytest.mark.parametrize(("name", "files", "commands"), CHANGED, ids=[x[0] for x in CHANGED])
def test_only_what_a_step_changes_is_run(
    small: Path, name: str, files: Files, commands: int
) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    before = bench.tally
    step(small, name, files)
    assert bench.build(name).verdict.state is State.PASSED
    bench.same(name)
    assert (bench.tally.replayed, bench.tally.full) == (before.replayed + 1, before.full)
    # Compiling without debug information of its own lines may or may not reach the link.
    assert bench.tally.commands - before.commands <= commands
    assert (bench.tally.commands == before.commands) == (commands == 0)
    # Back again: what was added is gone.
    assert bench.build("stable").verdict.state is State.PASSED
    assert bench.tally.replayed == before.replayed + 2
    bench.same("stable")


FULL: list[tuple[str, Files, str]] = [
    ("flag", {"Makefile": str(TREE["Makefile"]).replace("-O1", "-O2")}, "Makefile changed"),
    ("asked", {"version": "2\n"}, "version changed"),
    ("no-rule", {"extra.c": "int extra;\n"}, "extra.c is new"),
    (
        "gone",
        {"Makefile": str(TREE["Makefile"]).replace("util.o ", ""), "util.c": None},
        "Makefile changed",
    ),
    ("written", {"app": "what the build makes\n"}, "app is not as the build left it"),
]


@pytest.mark.parametrize(("name", "files", "why"), FULL, ids=[x[0] for x in FULL])
def test_what_make_decides_by_means_the_whole_build(
    small: Path, name: str, files: Files, why: str
) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    before = bench.tally
    step(small, f"full-{name}", files)
    said: list[str] = []
    attempt = bench.replay.attempt

    def listen(commit: Oid, since: int) -> bool:
        answer = attempt(commit, since)
        said.extend(bench.tally.full[-1:])
        return answer

    bench.replay.attempt = listen  # type: ignore[method-assign]  # to hear the first reason
    assert bench.build(f"full-{name}").verdict.state is State.PASSED
    bench.same(f"full-{name}")
    assert bench.tally.replayed == before.replayed
    assert said[-1].startswith(why)


def ran(bench: Bench, revision: str) -> tuple[str, int]:
    """What is said of a step that was replayed, and how many commands that took."""
    before = bench.tally
    verdict = bench.build(revision).verdict
    assert bench.tally.replayed == before.replayed + 1, bench.tally.full
    return verdict.summary, bench.tally.commands - before.commands


def test_what_is_wanted_is_told_of_before_the_build_has_ended(small: Path) -> None:
    """With what it will be handed on as, and while the commands after it have yet to run."""
    bench = Bench.of(small)
    bench.tree.wanted = {"app": "", "main.o": "main.c"}
    bench.build("stable")
    told: list[tuple[str, str, bool]] = []
    before = (bench.tree.folder / "app.sum").read_bytes()

    def early(path: str, sha: str, answers: object) -> None:
        told.append((path, sha, (bench.tree.folder / "app.sum").read_bytes() == before))

    name = step(small, "early", {"main.c": "int main_value = 1234;\n"})
    built = bench.tree.make(bench.repo.commit(name), early=early)
    assert [path for path, _, _ in told] == ["main.o", "app"]
    assert {path: sha for path, sha, _ in told} == built.artefacts
    assert all(earlier for _, _, earlier in told)


def test_a_file_that_is_looked_at_again_is_the_one_that_is_there(tmp_path: Path) -> None:
    looked, path = Contents(tmp_path), tmp_path / "output"
    seen = [looked.of("output")]
    for content in (b"one", b"two"):
        path.write_bytes(content)
        seen.append(looked.of("output"))
    path.chmod(0o755)
    seen.append(looked.of("output"))
    for target in ("one", "two"):
        path.unlink()
        path.symlink_to(target)
        seen.append(looked.of("output"))
    path.unlink()
    seen.append(looked.of("output"))
    digests = [content.digest for content in seen]
    assert digests[0] == digests[-1] == b""
    assert len(set(digests)) == len(digests) - 1


def test_a_recording_that_was_written_before_is_written_as_if_it_had_not_been(
    small: Path, tmp_path: Path
) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    kept = bench.repo.state_dir / "record" / "recording.json"
    first = load(kept)
    assert first is not None
    writer, at = Writer(), tmp_path / "recording.json"
    turns = [first]
    for turn in range(4):
        here = list(turns[-1].commands)
        one = here.pop(turn % len(here))
        here.append(replace(one, writes=frozenset({f"new{turn}-{n}" for n in range(9 * turn)})))
        turns.append(replace(turns[-1], tree=f"{turn}", commands=tuple(here), drivers=Touched()))
    for recording in (*turns, first):
        writer.save(recording, at)
        assert load(at) == recording


def test_makes_below_makes_run_their_jobs_with_no_input_of_their_own(tmp_path: Path) -> None:
    """A parallel make gives its jobs an empty pipe to read, and a make among them hands it on."""
    below = "all: one.o two.o three.o\n%.o: %.c\n\t$(CC) -c $< -o $@\n"
    names = ("one", "two", "three")
    files = {f"{part}/{name}.c": f"int {name} = 1;\n" for part in "abc" for name in names}
    files |= {f"{part}/Makefile": below for part in "abc"}
    files["Makefile"] = "all: a b c\na b c:\n\t$(MAKE) -C $@\n.PHONY: all a b c\n"
    folder = new_repo(tmp_path / "tree", files)
    bench = Bench.of(folder, "make -s -j3")
    assert bench.build("HEAD").verdict.state is State.PASSED
    for name in ("a/one.c", "b/one.c", "c/three.c"):
        followed(bench, folder, name, "int other = 2;\n")
    assert bench.tally == Tally(replayed=3, commands=3, clean=1)


def test_a_list_of_headers_made_from_another_by_a_shell_decides_nothing(tmp_path: Path) -> None:
    """Xen's ``.d2``: a step that includes one more header changes it, and a make reads it."""
    files: Files = {
        "Makefile": "all:\n\t$(MAKE) -f Rules one.o\n\t$(MAKE) -f Rules two.o\n",
        "Rules": "-include $(addsuffix 2,$(wildcard *.d))\n"
        '%.d2: %.d\n\tsed "s! $$PWD/! !" $^ >$@.tmp && mv -f $@.tmp $@\n'
        "%.o: %.c\n\t$(CC) -MMD -c $< -o $@\n",
        "one.c": "int one;\n",
        "two.c": "int two;\n",
        "new.h": "extern int new;\n",
    }
    folder = new_repo(tmp_path / "tree", files)
    bench = Bench.of(folder, "make -s -j2")
    assert bench.build("HEAD").verdict.state is State.PASSED
    followed(bench, folder, "one.c", '#include "new.h"\nint one;\n')
    assert (bench.tally.replayed, bench.tally.full) == (1, ())


def test_one_commit_is_said_to_be_built_as_a_range_says_it(tmp_path: Path) -> None:
    files: Files = {"Makefile": "a.o: a.c\n\t$(CC) -c a.c\n", "a.c": "int a;\n"}
    folder = new_repo(tmp_path / "tree", files)
    branch_with(
        folder,
        "topic",
        "stable",
        ("one", {"a.c": "int b;\n"}),
        ("rules", {"Makefile": "a.o: a.c\n\t$(CC) -O2 -c a.c\n"}),
    )
    for key, value in (("build", "make -s"), ("replay", "true"), ("validate", "build")):
        git(folder, "config", f"backport.{key}", value)
    said = [
        backport(folder, "check", "--commit", name).output
        for name in ("stable", "topic~1", "topic")
    ]
    assert "in full: from nothing" in said[0]
    assert "by 1 command, audited" in said[1]
    assert "in full: Makefile changed, which decides what is run" in said[2]


@pytest.mark.parametrize(
    "ask",
    [
        "answer=$(make -s -f probe.mk)",
        "timeout 60 make -s -f probe.mk >answer",
        "exec 6>&1; cat probe.mk | make -s -f -",
    ],
)
def test_a_make_that_only_gives_an_answer_drives_nothing(tmp_path: Path, ask: str) -> None:
    """As a configure script and CMake run one to try the compiler."""
    files: Files = {
        "Makefile": "all: one.o two.o\n%.o: %.c config.h\n\t$(CC) -include config.h -c $< -o $@\n",
        "configure": f"{ask}\necho '#define CONFIGURED 1' >config.h\n",
        "probe.mk": "all:\n\t@$(CC) -c probe.c -o probe.o && echo works\n",
        "probe.c": "int probe;\n",
        "one.c": "int one;\n",
        "two.c": "int two;\n",
    }
    folder = new_repo(tmp_path / "tree", files)
    bench = Bench.of(folder, "sh ./configure && make -s -j2")
    assert bench.build("HEAD").verdict.state is State.PASSED
    for name in ("one.c", "probe.c", "two.c"):
        followed(bench, folder, name, "int other;\n")
    # What asks may do otherwise when it is asked again: that step may be a whole build.
    assert bench.tally.replayed >= 2


def test_what_reads_the_input_of_the_shell_above_is_not_run_alone(tmp_path: Path) -> None:
    """Which line it gets is settled by what has read before it."""
    take = 'read line; echo "$line" >{}\n'
    files: Files = {
        "input": "one\ntwo\nthree\n",
        "first.sh": take.format("first"),
        "second.sh": take.format("second"),
        "Makefile": "all: first second\n\tcat first second >$@\n",
    }
    folder = new_repo(tmp_path / "tree", files)
    bench = Bench.of(folder, "exec <input; sh first.sh; sh second.sh; make -s")
    assert bench.build("HEAD").verdict.state is State.PASSED
    followed(bench, folder, "first.sh", "read line; " + take.format("first"))
    assert bench.tally.replayed == 0


def test_a_temporary_folder_of_a_command_is_its_own(tmp_path: Path) -> None:
    """Looked for, made, changed, and gone at the end: as in Xen's check for endbr64."""
    script = (
        "d=$(mktemp -d)\ntrap 'rm -rf $d' EXIT\n[ ! -e $d/all ] || exit 1\n"
        "cat one.o two.o >$d/all\nchmod 600 $d/all\ncat $d/all >app\n"
    )
    files: Files = {
        "Makefile": "app: one.o two.o link.sh\n\tsh ./link.sh\n%.o: %.c\n\t$(CC) -c $< -o $@\n",
        "link.sh": script,
        "one.c": "int one;\n",
        "two.c": "int two;\n",
    }
    folder = new_repo(tmp_path / "tree", files)
    bench = Bench.of(folder, "make -s -j2")
    assert bench.build("HEAD").verdict.state is State.PASSED
    followed(bench, folder, "one.c", "int other;\n")
    assert (bench.tally.replayed, bench.tally.full) == (1, ())


def test_a_linker_script_is_an_input_like_another(small: Path) -> None:
    bench = Bench.of(small)
    bench.tree.wanted = {"app": ""}
    bench.build("stable")
    step(small, "script", {"over/unread.lds": "SECTIONS {}\n"})
    assert ran(bench, "script") == ("built", 0)


def test_a_step_that_does_not_compile_is_judged_by_the_full_build(small: Path) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    step(small, "broken", {"util.c": "int util_value = missing;\n"})
    built = bench.build("broken")
    assert built.verdict.state is State.FAILED
    assert any("missing" in line for line in built.verdict.lines)
    assert bench.build("stable").verdict.state is State.PASSED
    bench.same("stable")


def test_behind_a_step_that_does_not_build_steps_are_replayed(small: Path) -> None:
    """What had been built before it lies there again, but for what it had built of its own."""
    bench = Bench.of(small)
    bench.build("stable")
    files = {"util.c": "int util_value = missing;\n", "main.c": "int main_value = 8;\n"}
    step(small, "some", files | {"include/one.h": "#define CONFIG 11\n"})
    assert bench.build("some").verdict.state is State.FAILED
    step(small, "behind", {"main.c": "int main_value = 8;\n"})
    for revision in ("behind", "stable"):
        built = bench.build(revision)
        assert (built.verdict.state, built.verdict.how[:3]) == (State.PASSED, "by ")
        bench.same(revision)
    step(small, "rules", {"Makefile": "all:\n\tfalse\n"})
    for bad in ("rules", "some", "rules"):
        assert bench.build(bad).verdict.state is State.FAILED
    # Not in the memory of one process alone.
    again = Bench.of(small)
    assert again.build("behind").verdict.how[:3] == "by "
    again.same("behind")
    assert not list(bench.repo.state_dir.glob("build-aside*"))


def test_what_a_failing_command_leaves_is_not_built_upon(small: Path) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    step(small, "litter", {"gen.sh": "echo 1 > over/util.h; exit 1\n"})
    assert bench.build("litter").verdict.state is State.FAILED
    assert bench.build("stable").verdict.how == "in full: from nothing"
    bench.same("stable")


def test_a_step_that_was_killed_beside_a_kept_build_starts_from_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    step(small, "cut", {"util.c": "int util_value = missing;\n"})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("backport.builds.kept_worktree.KeptWorktree.renew", die)
        with pytest.raises(KeyboardInterrupt):
            bench.build("cut")
    after = Bench.of(small)
    assert after.build("stable").verdict.how == "in full: from nothing"
    after.same("stable")


def test_where_names_come_in_the_order_of_their_making_a_listing_is_not_repeated() -> None:
    """/dev/shm is such a file system everywhere; a repository there is built like any other."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        rules = "out: v\n\tls -U d > out; cat v >> out\n"
        files = {"Makefile": rules, "v": "1\n", "d/z": "", "d/q": "", "d/a": ""}
        folder = new_repo(Path(place) / "tree", files)
        bench = Bench.of(folder, "make")
        bench.build("stable")
        changes: list[tuple[str, Files]] = [("one", {"d/q": "1\n"}), ("two", {"v": "2\n"})]
        branch_with(folder, "series", "stable", *changes)
        for revision, how in (
            ("series~1", "by 0 commands"),
            ("series", "in full: it lists d, in the"),
        ):
            assert bench.build(revision).verdict.how.startswith(how)
            clean = Path(place) / revision
            git(folder, "worktree", "add", "-q", "--detach", str(clean), revision)
            subprocess.run("make", cwd=clean, check=True)
            assert (bench.tree.folder / "out").read_bytes() == (clean / "out").read_bytes()


def test_what_somebody_else_did_to_the_outputs_is_seen(small: Path) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    (bench.tree.folder / "util.o").write_bytes(b"not the object")
    bench.build("stable")
    assert bench.tally.full[-1] == "util.o is not as the build left it"
    bench.same("stable")


def test_a_recording_serves_the_next_process_but_not_another_environment(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bench.of(small).build("stable")
    again = Bench.of(small)
    again.build("stable")
    assert again.tally == Tally(replayed=1)
    monkeypatch.setenv("LIBRARY_PATH", "/nowhere")
    other = Bench.of(small)
    other.build("stable")
    assert other.tally.full == ("the build command or its environment changed",)


def test_a_replay_that_was_killed_leaves_nothing_to_go_by(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench.of(small)
    bench.build("stable")
    step(small, "killed", {"main.c": "int main_value = 9;\n"})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("backport.builds.recorded.rerun.Runner._adopt", die)
        with pytest.raises(KeyboardInterrupt):
            bench.build("killed")
    after = Bench.of(small)
    after.build("stable")
    assert after.tally.replayed == 0
    after.same("stable")


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        ("cat in >> count; cp count out", "it changes count, which is a file of the tree"),
        ("cp in {outside}; cp {outside} out", "writes {outside}"),
    ],
    ids=["in-place", "outside"],
)
def test_a_command_that_may_do_otherwise_now_is_not_run_alone(
    tmp_path: Path, recipe: str, why: str
) -> None:
    outside = tmp_path / "outside"
    recipe = recipe.format(outside=outside)
    makefile = f"all: out late\nout: in\n\t{recipe}\nlate: out\n\techo > late\n"
    folder = new_repo(tmp_path / "tree", {"Makefile": makefile, "in": "1\n", "count": "0\n"})
    branch_with(folder, "next", "stable", ("next", {"in": "2\n"}))
    bench = Bench.of(folder, "make -s", boxed=False)
    for revision in ("stable", "next"):
        outside.unlink(missing_ok=True)
        assert bench.build(revision).verdict.state is State.PASSED
    bench.same("next")
    assert bench.tally.replayed == 0
    assert bench.tally.full[0].startswith(why.format(outside=outside))


@pytest.mark.parametrize("looks", ["cat {outside} >> out; ", ""], ids=["read", "unread"])
def test_a_file_outside_that_is_changed_and_then_removed_is_seen(
    tmp_path: Path, looks: str
) -> None:
    """Nothing of it is left to be found."""
    outside = tmp_path / "outside"
    recipe = f"cp in out; {looks}echo more >> {{outside}}; rm {{outside}}".format(outside=outside)
    files: Files = {"Makefile": f"out: in\n\t{recipe.format(outside=outside)}\n", "in": "1\n"}
    folder = new_repo(tmp_path / "tree", files)
    branch_with(folder, "next", "stable", ("next", {"in": "2\n"}))
    bench = Bench.of(folder, "make -s", boxed=False)
    for revision in ("stable", "next"):
        outside.write_text("as it was\n")
        assert bench.build(revision).verdict.state is State.PASSED
    assert bench.tally.full == (f"changes {outside}",)


def test_without_a_watcher_every_build_is_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_repo(tmp_path / "tree", {"Makefile": "out: in\n\tcp in out\n", "in": "1\n"})
    branch_with(folder, "next", "stable", ("next", {"in": "2\n"}))
    monkeypatch.setattr("backport.builds.recorded.replay.watcher", watcher)
    monkeypatch.setattr("backport.builds.recorded.watch.shutil.which", lambda _: None)
    bench = Bench.of(folder, "make -s")
    for revision in ("stable", "next"):
        assert bench.build(revision).verdict.state is State.PASSED
    bench.same("next")
    assert bench.tree.replay is not None
    assert (bench.tree.replay.why, bench.tree.replay.tally) == ("no C compiler", Tally())


@pytest.mark.parametrize(
    "damage",
    [
        lambda log: log[:-1],
        lambda log: log[: len(log) // 2],
        lambda log: log.replace(b"\nX ", b"\nX x", 1),
        lambda log: b"R 1 99999999999\n" + log,
        lambda log: b"R 1 -5\n" + log,
        lambda log: log.replace(b"F 2 1\n1\n", b"F 2 1\n9\n"),
        lambda log: b"",
    ],
)
def test_a_log_that_somebody_wrote_in_is_none(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    binary, _ = watcher(tmp_path)
    log = tmp_path / "log"
    words = [str(binary), str(log), "/", "", "/bin/sh", "sh", "-c", "/bin/true; /bin/true"]
    subprocess.run(words, check=True)
    whole = log.read_bytes()
    assert len(read_log(log)) == 3
    log.write_bytes(damage(whole))
    assert read_log(log) == ()


@pytest.mark.parametrize("where", ["recipe", "asked"])
def test_what_a_build_leaves_running_is_not_waited_for(tmp_path: Path, where: str) -> None:
    asked = "X := $(shell sleep 300 > /dev/null & echo 1)\n" if where == "asked" else ""
    left = "\tsleep 300 & cp in out\n" if where == "recipe" else "\tcp in out\n"
    files: Files = {"Makefile": f"{asked}out: in\n{left}", "in": "1\n"}
    folder = new_repo(tmp_path / "tree", files)
    branch_with(folder, "next", "stable", ("next", {"in": "2\n"}))
    bench = Bench.of(folder, "make -s")
    begun = time.monotonic()
    bench.build("stable")
    bench.build("next")
    assert time.monotonic() - begun < 60
    assert (bench.tree.folder / "out").read_text() == "2\n"
    assert bench.tree.replay is not None
    assert bench.tree.replay.tally.replayed == 0
    assert ("left running" in bench.tree.replay.why) == (where == "asked")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "shim"
    write_sample(folder)
    words = ("apply", "--branch", "stable-4.10", "--to", "good", "--validate", "none")
    done = backport(folder, *words)
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.torture
def test_the_sample_series_gives_the_objects_of_clean_builds(sample: Path) -> None:
    """Each step on top of the last replay, compared where an error would have added up."""
    bench = Bench.of(sample, MAKE)
    steps = git(sample, "rev-list", "--reverse", "stable-4.10..good").split()[22:38]
    for number, commit in enumerate(steps):
        assert bench.build(commit).verdict.state is State.PASSED
        if number % 8 == 7 or number == len(steps) - 1:
            bench.same(commit)
    assert (bench.tally.replayed, bench.tally.full) == (len(steps) - 1, ())


def test_a_build_that_asks_whether_there_is_a_proc_is_followed(tmp_path: Path) -> None:
    recipe = "test -d /proc && test -e /proc/self/status && echo x > /proc/self/fd/2; "
    recipe += "echo y > /dev/stderr; cat in | cat /dev/stdin > out"
    folder = new_repo(tmp_path / "tree", {"Makefile": f"out: in\n\t{recipe}\n", "in": "1\n"})
    branch_with(folder, "next", "stable", ("next", {"in": "2\n"}))
    bench = Bench.of(folder, "make -s")
    for revision in ("stable", "next"):
        assert bench.build(revision).verdict.state is State.PASSED
    bench.same("next")
    assert (bench.tally.clean, bench.tally.replayed) == (1, 1)


def test_recordings_that_serve_no_step_are_taken_less_often(tmp_path: Path) -> None:
    def makefile(n: int) -> str:
        return f"# {n}\nout: in\n\tcp in out\n"

    folder = new_repo(tmp_path / "tree", {"Makefile": makefile(0), "in": "1\n"})
    steps: list[tuple[str, Files]] = [(f"s{n}", {"Makefile": makefile(n)}) for n in range(1, 5)]
    branch_with(
        folder,
        "topic",
        "stable",
        *steps,
        ("s5", {"in": "2\n"}),
        ("s6", {"Makefile": "# 6\nout: in\n\tcp in out\n"}),
    )
    bench = Bench.of(folder, "make -s")
    for n in range(6, -1, -1):
        assert bench.build(f"topic~{n}").verdict.state is State.PASSED
    bench.same("topic")
    decided = "Makefile changed, which decides what is run"
    assert bench.tally.full == (
        *(decided,) * 3,
        "not watched, as 3 recordings served no step",
        decided,
    )
    # One that served ends the rest.
    assert (bench.tally.clean, bench.tally.replayed) == (5, 1)
