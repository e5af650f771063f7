# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing: bytes from strangers, or damaged on disk, end in a value or in a documented error."""
