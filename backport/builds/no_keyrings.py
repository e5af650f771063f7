# SPDX-License-Identifier: GPL-2.0-or-later
"""The seccomp(2) program that keeps a build from the kernel's keyrings (keyrings(7)): no namespace does.

The three calls answer as in a kernel that has none: ENOSYS.
"""

from __future__ import annotations

import errno
import struct

_CALLS = {
    0xC000003E: (248, 249, 250, 0x400000F8, 0x400000F9, 0x400000FA),  # x86-64, and its x32
    0x40000003: (286, 287, 288),  # i386
    0xC00000B7: (217, 218, 219),  # aarch64
    0x40000028: (309, 310, 311),  # arm
}
"""add_key, request_key and keyctl, by what linux/audit.h calls the processor."""
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _PROCESSOR = 0, 4
"""Where struct seccomp_data has them."""
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.ENOSYS


def program() -> bytes:
    """As an array of struct sock_filter; the same on every machine."""
    steps: list[tuple[int, int, int, int]] = []
    for processor, calls in _CALLS.items():
        found = [(_EQUAL, len(calls) - n, 0, call) for n, call in enumerate(calls)]
        body = [(_LOAD, 0, 0, _NUMBER), *found, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
        steps += [(_LOAD, 0, 0, _PROCESSOR), (_EQUAL, 0, len(body), processor), *body]
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
