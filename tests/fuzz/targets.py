# SPDX-License-Identifier: GPL-2.0-or-later
"""What is fuzzed: plain functions of bytes that raise only on a fault of ours.

A documented error is a good end.  Where a value comes out, what every later part relies on is asserted:
paths that may be written, signatures that git's fsck takes, texts that a commit can hold.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backport.builds.recorded import storage
from backport.builds.recorded.derive import derive
from backport.builds.recorded.outside_paths import Paths
from backport.builds.recorded.places import Places
from backport.builds.recorded.watch import read_log
from backport.errors import BackportError
from backport.gateway.identity import Signature
from backport.run.journal import Journal
from backport.store.cache import Cache, digest
from emu.elf.bare import without_debug
from emu.elf.linked import parse_image
from emu.errors import EmuError
from emu.object import emulate_object
from emu.profile import load_profile, parse_profile
from series.errors import SeriesError
from series.model import Identity, Patch, When
from series.reading.diff import parse_diff
from series.reading.mail import read_mbox
from series.reading.paths import path_fault
from series.reading.quilt import parse_series, read_quilt
from series.reading.rules import Rules
from tests.fuzz import seeds

PROFILE = "xen-pv-shim-4.10"
CUT = b"\n\0\n"
"""Between a quilt series file and its patches, in one input."""
_RULES = Rules(author=Identity(b"A", b"a@example.org"))
_FSCK = re.compile(rb"[^<>\n\0]* <[^<>\n\0]*> (?:0|[1-9][0-9]{0,18}) [+-][0-9]{4}\Z")
"""An identity that git's fsck takes."""


def mails(data: bytes) -> None:
    """A mailbox: `git am`'s input."""
    with _documented(SeriesError):
        series = read_mbox(data, "in.mbox", _RULES)
        _sound(series.patches)
        assert len(series.accounts) >= len({patch.name for patch in series.patches})


def diffs(data: bytes) -> None:
    """A diff alone."""
    with _documented(SeriesError):
        for change in parse_diff(data, "in.diff"):
            for path in (change.old_path, change.new_path):
                assert path is None or path_fault(path) is None


def quilt(data: bytes) -> None:
    """A series file with its patches behind it, in its own order."""
    head, *texts = data.split(CUT)
    with _documented(SeriesError):
        entries = parse_series(head, "series")
        assert len({entry.name for entry in entries}) == len(entries)
        contents = {e.name: text for e, text in zip(entries, texts, strict=False)}
        _sound(read_quilt(entries, contents, "series", _RULES).patches)


def journal(data: bytes) -> None:
    """The state of a run, as a disk that lies gives it back."""
    with _folder() as folder, _documented(BackportError):
        kept = Journal(folder)
        (kept.run / "source").mkdir(parents=True)
        (kept.run / "source/0").write_bytes(seeds.MAIL)
        kept.file.write_bytes(data)
        state = kept.read()
        if state is not None:
            kept.write(state)
            assert kept.read() == state


def cache(data: bytes) -> None:
    """Whatever lies where an answer or an artefact is kept is absent, unless it is what was put there."""
    with _folder() as folder:
        kept = Cache(folder)
        key, blob = digest("question"), digest("artefact")
        kept.put("build", key, seeds.ANSWER)
        kept.put_blob(b"artefact")
        for path in folder.glob("*/*/*"):
            path.write_bytes(data)
        assert kept.get("build", key) in (None, seeds.ANSWER)
        assert list(kept.recent("build", 1)) in ([], [seeds.ANSWER])
        assert kept.blob(blob) is None


def recordings(data: bytes) -> None:
    """A recording that cannot be read is none."""
    with _folder() as folder:
        path = folder / "recording.json"
        path.write_bytes(data)
        found = storage.load(path)
        if found is not None:
            storage.Writer().save(found, path)
            assert storage.load(path) == found


def logs(data: bytes) -> None:
    """What the watcher has written, which the build could have written in: none, or commands from it."""
    with _folder() as folder:
        log = folder / "log"
        log.write_bytes(data.removesuffix(seeds.LOG_END) + seeds.LOG_END)
        processes = read_log(log)
        assert not log.exists()
        if processes:
            found = derive(processes, Paths(Places(folder), ()), frozenset(("a.c",)))
            assert all(run.argv is not None for command in found.commands for run in command.runs)


def profiles(data: bytes) -> None:
    """A profile of the user's."""
    with _documented(EmuError):
        parse_profile.__wrapped__(data, "in.toml")


def objects(data: bytes) -> None:
    """An object file, emulated."""
    with _documented(EmuError):
        emulate_object(data, load_profile(PROFILE), depth="scenarios", only="send/64")


def headers(data: bytes) -> None:
    """A linked image as far as it is read, not booted."""
    with _documented(EmuError):
        bare = without_debug(data)
        assert len(bare) <= len(data)
        image = parse_image(data)
        image.where(image.entry)
        assert len(image.symbols) >= 0
        assert parse_image(bare).loads == image.loads


def images(data: bytes) -> None:
    """A linked image, booted with a guest of one mode."""
    from emu.booted.emulate import MODES, emulate_mode

    with _documented(EmuError):
        emulate_mode(data, load_profile(PROFILE), MODES[0], only="send/64")


@dataclass(frozen=True, slots=True)
class Target:
    """``seconds`` of computing time that no single input may take."""

    run: Callable[[bytes], None]
    corpus: Callable[[], Sequence[bytes]]
    words: Sequence[bytes] = ()
    """What a mutation may put in."""
    seconds: float = 5.0


TARGETS = {
    "mails": Target(mails, seeds.mails, seeds.MAIL_WORDS),
    "diffs": Target(diffs, seeds.diffs, seeds.DIFF_WORDS),
    "quilt": Target(quilt, lambda: seeds.quilt(CUT), (CUT, *seeds.MAIL_WORDS)),
    "journal": Target(journal, seeds.journal, seeds.JSON_WORDS),
    "cache": Target(cache, seeds.cache, seeds.JSON_WORDS),
    "recordings": Target(recordings, seeds.recordings, seeds.JSON_WORDS),
    "logs": Target(logs, seeds.logs, seeds.LOG_WORDS),
    "profiles": Target(profiles, seeds.profiles, seeds.TOML_WORDS),
    "objects": Target(objects, seeds.objects, seeds.NUMBERS, 60.0),
    "headers": Target(headers, seeds.images, seeds.NUMBERS),
    "images": Target(images, seeds.images, seeds.NUMBERS, 120.0),
}


def _sound(patches: Sequence[Patch]) -> None:
    for patch in patches:
        when = patch.date or When(0, 0)
        raw = Signature(patch.author, when).raw()
        assert _FSCK.match(raw), raw
        assert b"\0" not in patch.message
        assert patch.subject.strip()
        for change in patch.changes:
            for path in (change.old_path, change.new_path):
                assert path is None or path_fault(path) is None, path


@contextmanager
def _documented(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind as error:
        assert str(error)
        json.dumps(str(error)).encode("ascii")


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="backport-fuzz-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
