# SPDX-License-Identifier: GPL-2.0-or-later
"""What kind of thing is wrong: the names under which findings are reported, accepted and counted.

They are part of the JSON and of what `--accept` names, so they never change.  A finding of a booted guest's
story is named by its operation instead.
"""

from __future__ import annotations

from enum import StrEnum


class Invariant(StrEnum):
    """What must always hold; the last ones say how an image ended that never came to its guest."""

    CRASH = "crash"
    BUDGET = "budget"
    TRAP = "trap"
    LOCKS = "locks"
    SMAP = "SMAP"
    REGISTERS = "registers"
    VCPUS = "vcpus"
    FAILURE_LOST = "failure lost"
    ERROR_CODE = "error code"
    REFUSAL = "refusal"
    RESOURCES = "resources"
    GUEST_BUFFER = "guest buffer"
    GUEST_POINTERS = "guest pointers"
    OUT_FIELDS = "out fields"
    TRANSLATION = "translation"
    PORTS_AGREE = "ports agree"
    SHARED_PAGE = "shared page"
    MEMORY = "memory"
    RESUME = "resume"
    SUSPEND = "state after suspend"
    STACK = "stack contents"
    EXPECTATION = "expectation"
    RESERVED = "reserved fields"
    AGAIN = "asked again"
    NOTHING = "asked for nothing"
    L0_MODEL = "L0 model"
    LOOP = "loop"
    HALT = "halt"
    RESET = "reset"
    SHUTDOWN = "shutdown"
