# SPDX-License-Identifier: GPL-2.0-or-later
"""From what the user names to a series and its order."""
