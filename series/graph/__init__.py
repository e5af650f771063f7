# SPDX-License-Identifier: GPL-2.0-or-later
"""The dependency graph: its evidence, and how it is resolved."""
