# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.fuzz TARGET --seconds N --seed S``: by atheris where it is installed, else by our loop.

    pip install '.[fuzz]'                      # atheris, which knows what an input reaches
    python -m tests.fuzz mails --seconds 3600
    python -m tests.fuzz all --seconds 60 --plain

Every input that shows a fault is kept in ``--keep DIR``, one of each; exit code 1 says there was any.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path


def main() -> int:
    """Fuzz; 1 where a fault was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where inputs that show a fault are kept")
    parser.add_argument("--plain", action="store_true", help="our own loop, without coverage")
    given = parser.parse_args()
    keep = given.keep or Path(tempfile.mkdtemp(prefix="backport-faults-"))
    by_atheris = not given.plain and find_spec("atheris") is not None
    if by_atheris:
        import atheris

        # Before anything of ours is imported: what is imported is instrumented then.
        with atheris.instrument_imports(include=["series", "backport", "emu"]):
            from tests.fuzz.targets import TARGETS
    else:
        from tests.fuzz.targets import TARGETS
    if given.target not in (*TARGETS, "all"):
        parser.error(f"no target {given.target!r}; there are {', '.join(TARGETS)}, all")
    names = list(TARGETS) if given.target == "all" else [given.target]
    keeper = _Keeper(keep)
    for name in names:
        target = TARGETS[name]
        keeper.begin(name)
        if by_atheris and len(names) == 1:
            keeper.watch(target, given.seconds, given.seed)
        else:
            keeper.loop(target, given.seconds, given.seed)
    return 1 if keeper.found else 0


class _Keeper:
    """Keeps one input of each fault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: set[str] = set()
        self.count = 0
        self.name = ""

    def begin(self, name: str) -> None:
        self.name, self.count = name, 0

    def run(self, target: object, data: bytes) -> None:
        from tests.fuzz.loop import attempt
        from tests.fuzz.targets import Target

        assert isinstance(target, Target)
        self.count += 1
        fault = attempt(target, data)
        if fault is None or fault.where in self.found:
            return
        self.found.add(fault.where)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.name}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        print(f"{self.name}: {fault.where}: {path}\n{fault.trace}", flush=True)

    def loop(self, target: object, seconds: int, seed: int) -> None:
        from tests.fuzz.loop import inputs
        from tests.fuzz.targets import Target

        assert isinstance(target, Target)
        end = time.monotonic() + seconds
        for data in inputs(target, seed):
            if time.monotonic() > end:
                break
            self.run(target, data)
        self.tell()

    def tell(self) -> None:
        print(f"{self.name}: {self.count} inputs, {len(self.found)} faults", flush=True)

    def end(self) -> None:
        self.tell()
        os._exit(1 if self.found else 0)

    def watch(self, target: object, seconds: int, seed: int) -> None:
        """By atheris, which ends the process."""
        import atheris

        from tests.fuzz.targets import Target

        assert isinstance(target, Target)
        corpus = Path(tempfile.mkdtemp(prefix="backport-corpus-"))
        for number, data in enumerate(target.corpus()):
            (corpus / str(number)).write_bytes(data)
        words = corpus.with_suffix(".dict")
        words.write_text("".join(_quoted(word) for word in target.words if len(word) < 64))
        options = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=65536", "-timeout=300"]
        options += [f"-dict={words}", f"-artifact_prefix={corpus}/", "-rss_limit_mb=4096"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: self.run(target, data))
        # libFuzzer calls exit(3), which does not run Python's atexit functions.
        self.at_exit = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: self.end())
        ctypes.CDLL(None)["__cxa_atexit"](self.at_exit, None, None)
        atheris.Fuzz()


def _quoted(word: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
