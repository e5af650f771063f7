# SPDX-License-Identifier: GPL-2.0-or-later
"""What a domain finds around itself.

clock     virtual time
lapic     the local APIC of a processor
platform  CPUID, ports, ACPI tables, start info
"""
