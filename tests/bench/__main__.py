# SPDX-License-Identifier: GPL-2.0-or-later
"""``make bench``: figures as ratios against peers in the same run, on any repository and range.

make bench
make bench ARGS="--repo DIR --range A..B --object FILE.o --runs 5"
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import peers
from tests.bench.timing import Sample, Timed, clocked, processor, race

_BARE = "import typer\napp = typer.Typer()\n@app.command()\ndef a() -> None: ...\n"
_BARE += "@app.command()\ndef b() -> None: ...\napp()\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--repo", type=Path, help="default: the sample tree")
    parser.add_argument("--range", default="", help="A..B, its patches in their right order")
    parser.add_argument("--object", type=Path, help="the core's object; default: the sample's")
    parser.add_argument("--image", type=Path, help="a linked image; default: the sample's")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--mutants", type=int, default=300, help="of the sample's core; 0: none (default: 300)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backport-bench-") as scratch:
        folder = Path(scratch)
        repo, revisions, built, image = given.repo, given.range, given.object, given.image
        if repo is None:
            repo, revisions, sample_object = _sample(folder)
            built = built or sample_object
            image = image or sample_object.parents[3] / "xen-syms"
        elif not revisions:
            parser.error("--repo needs --range A..B")
        course = peers.lay_course(repo, revisions, folder)
        print(f"{len(peers.files(course))} patches, median of {given.runs} runs\n")
        _applying(course, given.runs)
        _graph(course, given.runs)
        _start_up(folder, given.runs)
        _hook(repo, folder, given.runs)
        if built is not None:
            _emulation(built, given.runs)
        if image is not None:
            _booted(image, given.runs)
        if given.mutants:
            _mutants(folder, given.mutants)


def _applying(course: peers.Course, runs: int) -> None:
    contestants: dict[str, Timed] = {"git am": peers.git_am(course)}
    contestants["git cherry-pick"] = peers.cherry_pick(course)
    for name, peer in (("quilt push -a", peers.quilt(course)), ("stg import", peers.stg(course))):
        if peer is None:
            print(f"{name}: not installed")
        else:
            contestants[name] = peer
    for name, timed in tuple(contestants.items()):
        try:
            timed()
        except peers.Unable as exc:
            print(f"{name}: not on this series ({exc})")
            del contestants[name]
    contestants["backport, engine in process"] = peers.engine(course)
    contestants["backport apply, whole process"] = peers.whole_process(course)
    _table("applying", race(contestants, runs), "git am")


def _graph(course: peers.Course, runs: int) -> None:
    timed = peers.graph(course)
    timed()
    taken = sorted(timed() for _ in range(runs))
    seconds, edges = taken[len(taken) // 2]
    print(f"graph: {edges} edges in {seconds:.3f} s\n")


def _start_up(folder: Path, runs: int) -> None:
    bare = folder / "bare.py"
    bare.write_text(_BARE)

    def start(*words: str) -> Timed:
        return lambda: clocked(lambda: subprocess.run(words, capture_output=True, check=True))

    ours = str(Path(sys.executable).parent / "backport")
    contestants = {
        "a bare Typer program --help": start(sys.executable, str(bare), "--help"),
        "backport --help": start(ours, "--help"),
        "git --version": start("git", "--version"),
    }
    _table("start-up", race(contestants, max(runs, 9)), "a bare Typer program --help")


def _hook(repo: Path, folder: Path, runs: int) -> None:
    """Processor time: a hook waits for `check` at every commit, and most have nothing for it."""
    bare = folder / "bare.py"
    python = [sys.executable, "-m", "backport"]

    def spent(*words: str) -> Timed:
        return lambda: processor(lambda: subprocess.run(words, capture_output=True, check=True))

    contestants = {
        "a bare Typer program": spent(sys.executable, str(bare), "a"),
        "check, nothing relevant staged": spent(*python, "check", "-C", str(repo)),
        "status": spent(*python, "status", "-C", str(repo)),
    }
    _table("processor time", race(contestants, max(runs, 9)), "a bare Typer program")


def _emulation(built: Path, runs: int) -> None:
    from emu.object import emulate_object
    from emu.profile import load_profile

    data = built.read_bytes()
    profile = load_profile("xen-pv-shim-4.10")
    for depth in ("scenarios", "explore"):
        rates = []
        for _ in range(runs):
            report = emulate_object(data, profile, depth=depth)
            rates.append((report.calls / report.seconds, report.calls, report.seconds))
        rate, calls, seconds = sorted(rates)[len(rates) // 2]
        print(
            f"emulated hypercalls, {depth}: {rate:.0f} a second ({calls} calls, {seconds:.2f} s with loading)"
        )


def _booted(image: Path, runs: int) -> None:
    from emu.profile import load_profile
    from tests.bench.booted import lines

    print("\n".join(lines(image, load_profile("xen-pv-shim-4.10"), runs)))


def _mutants(folder: Path, limit: int) -> None:
    from tests.mutation.report import lines
    from tests.mutation.run import chosen_of, measure, sample_tree

    where = folder / "mutation"
    where.mkdir()
    tree = sample_tree(where)
    print("\n" + "\n".join(lines(*measure(tree, chosen_of(tree, limit, None)))))


def _table(title: str, samples: dict[str, Sample], reference: str) -> None:
    print(f"{title:40} {'median':>9}  times {reference}")
    for name, sample in samples.items():
        ratio = sample.ratio(samples[reference])
        print(f"  {name:38} {sample.median:8.3f}s  {ratio:6.2f}")
    print()


def _sample(folder: Path) -> tuple[Path, str, Path]:
    from backport.sample.write import write_sample

    where = folder / "sample"
    write_sample(where)
    ours = str(Path(sys.executable).parent / "backport")
    words = [ours, "apply", "--repo", str(where), "--branch", "stable-4.10", "--to", "applied"]
    peers.run([*words, "--validate", "none"])
    tree = folder / "built"
    peers.run(["git", "-C", str(where), "worktree", "add", "-q", str(tree), "applied"])
    peers.run(["make", "-s", "-j2"], tree)
    return where, "stable-4.10..applied", tree / "xen/arch/x86/pv/shim.o"


if __name__ == "__main__":
    main()
