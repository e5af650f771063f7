# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a hunk goes in a text."""
