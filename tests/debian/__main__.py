# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.debian PACKAGE...``: each package's series by `backport apply` and `quilt push -a`.

Needs Debian's apt-get, dpkg-source and quilt.  Sources are fetched through a list of its own (that of
the system with deb-src for deb), so that the system's stays as it is; they are unpacked, never built.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_US = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
_JUNK = re.compile(
    r"(?:From \S+ \S+ |[-=#*\s]*\Z|Index: |diff |@@|[A-Z][A-Za-z-]+: *\Z|Last-Update)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one package."""

    package: str
    listed: int
    commits: int
    verdict: str
    unsigned: int
    junk: int
    notes: int

    def shown(self) -> str:
        """One line of the table."""
        return (
            f"{self.package:34} {self.listed:6} {self.commits:7} {self.unsigned:8} {self.junk:4}"
            f" {self.notes:5}  {self.verdict}"
        )


def main() -> None:
    """Fetch, unpack, put on, compare."""
    parser = argparse.ArgumentParser(prog="python -m tests.debian", description=__doc__)
    parser.add_argument("packages", nargs="+", help="names of source packages, or .dsc files")
    parser.add_argument("--keep", type=Path, help="keep the sources in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backport-debian-") as scratch:
        folder = given.keep or Path(scratch) / "sources"
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{'package':34} listed commits unsigned junk notes  verdict", flush=True)
        for package in given.packages:
            try:
                dsc = Path(package) if package.endswith(".dsc") else _fetched(package, folder)
                print(_compared(dsc, Path(scratch)).shown(), flush=True)
            except subprocess.CalledProcessError as error:
                said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
                print(f"{package:34} {error.cmd[0]} failed: {said[-1] if said else ''}", flush=True)


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return done.stdout.decode(errors="replace")


def _fetched(package: str, folder: Path) -> Path:
    """The package's .dsc with its tarballs beside it."""
    known = sorted(folder.glob(f"{package}_*.dsc"))
    if known:
        return known[-1]
    sources = folder / "sources"
    if not sources.is_dir():
        sources.mkdir()
        (folder / "lists/partial").mkdir(parents=True)
        for found in Path("/etc/apt").glob("sources.list.d/*.sources"):
            text = re.sub(r"^Types: deb$", "Types: deb-src", found.read_text(), flags=re.MULTILINE)
            (sources / found.name).write_text(text)
        listed = Path("/etc/apt/sources.list")
        if listed.is_file():
            text = re.sub(r"^deb ", "deb-src ", listed.read_text(), flags=re.MULTILINE)
            (sources / "sources.list").write_text(text)
        _run("apt-get", *_apt(folder), "update")
    _run("apt-get", *_apt(folder), "source", "--download-only", "-qq", package, cwd=folder)
    return sorted(folder.glob(f"{package}_*.dsc"))[-1]


def _apt(folder: Path) -> Iterator[str]:
    yield from (
        "-o",
        "Dir::Etc::sourcelist=/dev/null",
        "-o",
        f"Dir::Etc::sourceparts={folder / 'sources'}",
    )
    yield from ("-o", f"Dir::State::lists={folder / 'lists'}", "-o", "Dir::Cache::srcpkgcache=")
    yield from ("-o", "Dir::Cache::pkgcache=")


def _compared(dsc: Path, scratch: Path) -> Row:
    tree = scratch / dsc.stem
    _run("dpkg-source", "--no-check", "--skip-patches", "-x", str(dsc.resolve()), str(tree))
    patches = tree / "debian/patches"
    series = patches / "series"
    listed = sum(bool(re.sub(r"(^|\s)#.*", "", x).strip()) for x in series.read_text().splitlines())
    git = ("git", *_US, "-C", str(tree))
    _run("git", "init", "-q", "-b", "pristine", str(tree))
    _run(*git, "config", "core.autocrlf", "false")
    _run(*git, "add", "-A", "-f", ".")
    _run(*git, "commit", "-q", "-m", "as released")
    _run(*git, "branch", "stable")
    report = scratch / "report.json"
    words = [str(Path(sys.executable).parent / "backport"), "apply", "--repo", str(tree)]
    words += ["--branch", "stable", "--series", str(series), "--validate", "none"]
    done = _applied([*words, "--json", str(report)])
    first = ""
    for option in (("--partial",), ("--allow", "binary-stub"), ("--fuzz", "3")):
        if done.returncode and option[0] in done.stderr:
            # What the message offers, taken: the first stop is part of the verdict.
            first += f"stops and offers {' '.join(option)}; with it "
            _applied([words[0], "abort", "--repo", str(tree)])
            words += option
            done = _applied([*words, "--json", str(report)])
    said = json.loads(report.read_text()) if report.is_file() else {}
    report.unlink(missing_ok=True)
    log = _run(*git, "log", "--format=%ae%x09%s", "pristine..stable").splitlines()
    unsigned = sum(line.startswith(("\t", "nobody@example.org\t")) for line in log)
    junk = sum(bool(_JUNK.match(line.partition("\t")[2])) for line in log)
    verdict = first + _verdict(tree, git, done)
    return Row(dsc.stem, listed, len(log), verdict, unsigned, junk, len(said.get("notes", ())))


def _applied(words: list[str]) -> subprocess.CompletedProcess[str]:
    who = {"GIT_COMMITTER_NAME": "Nobody", "GIT_COMMITTER_EMAIL": "nobody@example.org"}
    return subprocess.run(
        words,
        env={"PATH": "/usr/bin:/bin", **who},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _verdict(tree: Path, git: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> str:
    env = ("env", "QUILT_PATCHES=debian/patches", "QUILT_PC=.pc", "quilt", "push", "-a", "-q")
    pushed = subprocess.run(
        env, cwd=tree, capture_output=True, text=True, errors="replace", check=False
    )
    if pushed.returncode not in (0, 2):
        last = (pushed.stdout + pushed.stderr).strip().splitlines()[-1:]
        quilt = f"; quilt: {last[0] if last else pushed.returncode}"
    else:
        quilt = ""
    if done.returncode:
        lines = [
            line.strip()
            for line in done.stderr.splitlines()
            if line.strip().startswith("backport:")
        ]
        at = done.stderr.find("backport:")
        reason = " ".join(done.stderr[at:].split())[:300] if at >= 0 else " ".join(lines)
        return f"stopped ({done.returncode}): {reason}{quilt}"
    _run("rm", "-rf", str(tree / ".pc"))
    _run(*git, "add", "-A", "-f", ".")
    theirs = _run(*git, "write-tree").strip()
    differing = _run(*git, "diff", "--name-only", theirs, "stable").split()
    return (
        "identical"
        if not differing
        else f"{len(differing)} files differ: {' '.join(differing[:6])}"
    ) + quilt


if __name__ == "__main__":
    main()
