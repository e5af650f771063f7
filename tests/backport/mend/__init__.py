# SPDX-License-Identifier: GPL-2.0-or-later
"""Series that break and are repaired later, mended by a real compiler's word."""
