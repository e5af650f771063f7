# SPDX-License-Identifier: GPL-2.0-or-later
"""One command onto several branches: each has a run of its own, newest branch first."""
