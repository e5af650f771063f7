# SPDX-License-Identifier: GPL-2.0-or-later
"""What branches know: presence, siblings, upstream, missing names."""
