# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings from git's configuration, the tree and options."""

from __future__ import annotations

import pytest

from backport.config import Settings, level_of, load_settings, with_options
from backport.errors import UsageError
from backport.levels import Level, Prerequisites, Record


@pytest.mark.parametrize("level", Level)
def test_a_level_is_the_same_from_wherever_it_comes(level: Level) -> None:
    base = Settings(build="make")
    for settings in (
        load_settings({"build": ("make",), "validate": (level.value,)}, None),
        with_options(base, validate=level),
        with_options(base, validate=level.value),
    ):
        assert settings.validate is level
        assert level_of(settings)[0] is level


def test_choices_are_read_as_such() -> None:
    settings = load_settings({"prerequisites": ("take",), "record": ("xen",)}, None)
    assert settings.prerequisites is Prerequisites.TAKE
    assert settings.record is Record.XEN


@pytest.mark.parametrize("key", ["validate", "prerequisites", "record"])
def test_another_word_is_refused_with_those_that_are_known(key: str) -> None:
    with pytest.raises(UsageError, match=r"'perhaps' should be one of .*, ") as info:
        load_settings({key: ("perhaps",)}, None)
    assert f"git config backport.{key}" in info.value.message


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("biuld", "did you mean backport.build?"),
        ("build_time", "did you mean backport.buildTimeout?"),
        ("zzz", "buildTimeout, cacheLimit"),
    ],
)
def test_an_unknown_setting_names_what_git_would_know(key: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"backport.{key}: unknown setting") as info:
        load_settings({key: ("1",)}, None)
    assert said in info.value.hint


def test_a_build_that_a_tree_proposes_is_not_run() -> None:
    settings = load_settings({}, b'build = "make"')
    assert settings.build is None and settings.proposed_build == "make"
    level, why = level_of(settings)
    assert level is Level.NONE and "the tree proposes 'make'" in why
