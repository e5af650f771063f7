# SPDX-License-Identifier: GPL-2.0-or-later
"""What a domain finds around itself: local APIC, platform, clock."""
