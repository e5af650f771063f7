# SPDX-License-Identifier: GPL-2.0-or-later
"""The booted level: a linked image from its PVH entry to hypercalls of its guest.

image       the ELF image: what is loaded, where it begins, what its addresses are called
ram         physical memory, and the snapshot of it
paging      linear addresses, as the processor and L0 see them
traps       exceptions and system calls, which Unicorn leaves to us
machine     all of it together with the platform and L0: an image that boots
drive       hypercalls of the guest, each from the snapshot
behaviour   what became of each operation
report      what is handed back
"""
