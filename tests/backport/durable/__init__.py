# SPDX-License-Identifier: GPL-2.0-or-later
"""A run killed, or refused by the disk, at each of its durable calls (see failing.c)."""
