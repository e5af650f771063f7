# SPDX-License-Identifier: GPL-2.0-or-later
"""A branch becomes a release, and goes back."""
