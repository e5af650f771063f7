# SPDX-License-Identifier: GPL-2.0-or-later
"""Text of strangers that every format must carry as text."""

from __future__ import annotations

HOSTILE = (
    "quotes \" ' and <tags> & ]]> --> </script><script>alert(1)</script>",
    "\x1b]0;title\x07\x1b[31mred \u202ertl\u2066 \u2028 \ufeff",
    "::error file=x::owned %0A ::add-mask::x",
    "{{ 7 * 7 }} {% raw %} ${x} `id` $(id)",
)
"""Each fits a subject: one line."""
