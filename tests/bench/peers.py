# SPDX-License-Identifier: GPL-2.0-or-later
"""The same series put on the same base by the tools that people use today, and by ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.timing import Timed, clocked

_BIN = Path(sys.executable).parent


class Unable(Exception):
    """A peer cannot put this series on: ``str()`` is what it says."""


@dataclass(frozen=True, slots=True)
class Course:
    """A scratch clone at the base, the patches as files, and the ends of the range."""

    clone: Path
    patches: Path
    base: str
    tip: str
    tree: str

    def git(self, *words: str) -> str:
        """Run git in the clone."""
        return run(["git", "-C", str(self.clone), *words])


def run(words: list[str], cwd: Path | None = None) -> str:
    """Run a command that must succeed; its output."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "EDITOR": "true"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "Bench", f"GIT_{who}_EMAIL": "bench@example.org"}
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Unable(f"{' '.join(words[:3])}: {'; '.join(said[-2:])}")
    return done.stdout.strip()


def lay_course(repo: Path, revisions: str, scratch: Path) -> Course:
    """Clone ``repo`` and write the patches of the range."""
    first, _, last = revisions.partition("..")
    base = run(["git", "-C", str(repo), "rev-parse", f"{first}^{{commit}}"])
    tip = run(["git", "-C", str(repo), "rev-parse", f"{last or 'HEAD'}^{{commit}}"])
    clone = scratch / "clone"
    run(["git", "clone", "-q", "--shared", "--no-checkout", str(repo), str(clone)])
    run(["git", "-C", str(clone), "checkout", "-q", "-B", "bench", base])
    patches = scratch / "patches"
    run(["git", "-C", str(clone), "format-patch", "-q", "-o", str(patches), f"{base}..{tip}"])
    tree = run(["git", "-C", str(clone), "rev-parse", f"{tip}^{{tree}}"])
    return Course(clone, patches, base, tip, tree)


def files(course: Course) -> list[str]:
    """The patch files in their right order."""
    return [str(path) for path in sorted(course.patches.glob("*.patch"))]


def _reset(course: Course) -> None:
    course.git("checkout", "-q", "-f", "-B", "bench", course.base)
    course.git("clean", "-fdxq")


def _checked(course: Course, name: str) -> None:
    made = course.git("rev-parse", "HEAD^{tree}")
    if made != course.tree:
        raise Unable(f"{name} made tree {made}, not {course.tree}")


def git_am(course: Course) -> Timed:
    """``git am``, given the right order."""

    def timed() -> float:
        _reset(course)
        taken = clocked(lambda: course.git("am", "-q", *files(course)))
        _checked(course, "git am")
        return taken

    return timed


def cherry_pick(course: Course) -> Timed:
    """``git cherry-pick`` of the range."""

    def timed() -> float:
        _reset(course)
        taken = clocked(lambda: course.git("cherry-pick", f"{course.base}..{course.tip}"))
        _checked(course, "git cherry-pick")
        return taken

    return timed


def stg(course: Course) -> Timed | None:
    """``stg import`` of each patch."""
    if shutil.which("stg") is None:
        return None

    def timed() -> float:
        _reset(course)
        run(["stg", "init"], course.clone)
        series = course.clone / ".git" / "bench-series"
        series.write_text("".join(f"{name}\n" for name in files(course)))
        try:
            return clocked(lambda: run(["stg", "import", "--series", str(series)], course.clone))
        finally:
            run(["stg", "branch", "--cleanup", "--force"], course.clone)

    return timed


def quilt(course: Course) -> Timed | None:
    """``quilt push -a`` in an exported tree."""
    if shutil.which("quilt") is None:
        return None
    tree = course.clone.parent / "exported"

    def timed() -> float:
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        archive = course.clone.parent / "base.tar"
        course.git("archive", "-o", str(archive), course.base)
        run(["tar", "xf", str(archive)], tree)
        shutil.copytree(course.patches, tree / "patches")
        names = "".join(f"{Path(name).name}\n" for name in files(course))
        (tree / "patches/series").write_text(names)
        return clocked(lambda: run(["quilt", "push", "-a", "-q"], tree))

    return timed


def whole_process(course: Course) -> Timed:
    """``backport apply`` as a process: start-up, reading, ordering, applying, moving a branch."""

    def timed() -> float:
        subprocess.run(
            ["git", "-C", str(course.clone), "branch", "-q", "-D", "ours"],
            check=False,
            capture_output=True,
        )
        _reset(course)
        words = [str(_BIN / "backport"), "apply", "--repo", str(course.clone), "--branch", "bench"]
        words += ["--series", str(course.patches), "--to", "ours", "--validate", "none"]
        taken = clocked(lambda: run(words))
        made = course.git("rev-parse", "ours^{tree}")
        if made != course.tree:
            raise Unable(f"backport made tree {made}, not {course.tree}")
        return taken

    return timed


def engine(course: Course) -> Timed:
    """The engine in process: parsed patches in their order onto commits that git can read."""
    from backport.config import Settings
    from backport.planning.sources import find_source
    from backport.run.assembly import assemble
    from backport.run.preview import begin
    from tests.backport.trees import open_repo

    settings = Settings()

    def timed() -> float:
        repo = open_repo(course.clone)
        source = find_source(repo, str(course.patches))
        plan, state = begin(repo, repo.commit(course.base), [source], settings)
        tip = ""

        def work() -> None:
            nonlocal tip
            tip = assemble(repo, plan, state, lambda *_: None).state.tip
            repo.objects.store()

        taken = clocked(work)
        made = course.git("rev-parse", f"{tip}^{{tree}}")
        if made != course.tree:
            raise Unable(f"the engine made tree {made}, not {course.tree}")
        return taken

    return timed


def graph(course: Course) -> Callable[[], tuple[float, int]]:
    """The dependency graph in process; also its number of edges."""
    from backport.config import Settings
    from backport.planning.sources import find_source
    from backport.run.preview import begin
    from series.graph.dependencies import build_graph
    from tests.backport.trees import open_repo

    def timed() -> tuple[float, int]:
        repo = open_repo(course.clone)
        source = find_source(repo, str(course.patches))
        plan, state = begin(repo, repo.commit(course.base), [source], Settings())
        patches = [plan.patch(repo, item) for item in state.items]
        edges = 0

        def work() -> None:
            nonlocal edges
            edges = build_graph(patches, repo.tree(state.onto)).number_of_edges()

        return clocked(work), edges

    return timed
