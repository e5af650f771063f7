# SPDX-License-Identifier: GPL-2.0-or-later
"""The booted level: a linked image from its PVH entry to hypercalls of its guest.

image       the ELF image: what is loaded, where it begins, what its addresses are called
bare        it without its debug information
settings    what the machine is to be like
loader      everything in its place, as a PVH loader does it
ram         physical memory, and the snapshot of it
paging      linear addresses, as a processor and L0 see them
traps       exceptions and system calls, which Unicorn leaves to us
vcpu        one processor
devices     time, timers, local APICs, what is to come from outside
machine     all of it together with L0: what the image asks of its surroundings
run         whose turn it is, interrupts, and how a run ends
strings     long fills and copies, made a page at a time
standstill  proof that a run gets nowhere any more
drive       hypercalls of the guest, each from the snapshot
guest       what the guest asks, is told, and sees coming
stories     what it lives through
checks      what must hold for every hypercall
behaviour   what became of each operation
milestones  how far a boot came
report      what is handed back
"""
