# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache: what is damaged is absent, and is made again."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backport.store.cache import Cache, digest


def test_answers_come_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    key = digest("what", b"it", "depends on")
    assert cache.get("build", key) is None
    cache.put("build", key, {"state": "passed"})
    assert cache.get("build", key) == {"state": "passed"}


def test_a_damaged_artefact_is_absent_and_written_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    sha = cache.put_blob(b"object" * 1000)
    (path,) = (p for p in tmp_path.rglob("*") if p.is_file())
    for damage in (b"", b"object" * 1000, path.read_bytes()[:-3]):
        path.write_bytes(damage)
        assert Cache(tmp_path).blob(sha) is None
        assert cache.put_blob(b"object" * 1000) == sha
        assert Cache(tmp_path).blob(sha) == b"object" * 1000


def test_a_few_artefacts_are_at_hand_without_being_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    shas = [cache.hold(b"%d" % n) for n in range(20)]
    assert [n for n, sha in enumerate(shas) if cache.blob(sha) is not None] == [16, 17, 18, 19]
    assert cache.blob(shas[-1]) == b"19"
    assert not cache.has_blob(shas[-1])


def test_an_artefact_that_is_made_again_stays_at_hand(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first, *_ = [cache.hold(b"%d" % n) for n in range(4)]
    assert cache.hold(b"0") == first
    more = [cache.hold(b"more %d" % n) for n in range(3)]
    assert all(cache.blob(sha) is not None for sha in (first, *more))


def test_artefacts_are_held_from_any_thread(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def hold(thread: int) -> None:
        for n in range(2000):
            cache.hold(b"%d %d" % (thread, n % 7))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(hold, n) for n in range(4)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)


def test_keys_do_not_run_into_each_other() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_what_nobody_asks_for_is_dropped_at_last(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("build", digest("old"), {})
    cache.put("build", digest("new"), {})
    old = next(p for p in tmp_path.rglob("*.json") if p.stem == digest("old"))
    long_ago = time.time() - 100 * 86400
    os.utime(old, (long_ago, long_ago))
    cache.prune()
    assert cache.get("build", digest("old")) is None
    assert cache.get("build", digest("new")) == {}
