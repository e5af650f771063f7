# SPDX-License-Identifier: GPL-2.0-or-later
"""The names that code defines and uses, and what they tie together."""
