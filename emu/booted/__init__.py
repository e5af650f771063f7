# SPDX-License-Identifier: GPL-2.0-or-later
"""The booted level: a linked image from its PVH entry to hypercalls of its guest.

The machine:
    settings    what it is to be like
    starting    it, switched on
    loader      everything in its place, as a PVH loader does it
    ram         physical memory, and the snapshot of it
    paging      linear addresses, as a processor and L0 see them
    traps       exceptions and system calls, which Unicorn leaves to us
    stack_operand  which memory operands are the stack's
    strings     long fills and copies, made a page at a time
    processor   one processor
    devices     time, timers, local APICs, what is to come from outside
    machine     all of it together with L0: what the image asks of its surroundings
    turns       whose turn it is, interrupts, and how a run ends
    standstill  proof that a run gets nowhere any more
    ending      how a run ends, and the bounds of each

The guest:
    drive       its hypercalls, each from the snapshot
    guest       what it asks, is given, and sees coming
    stories     what it lives through

What becomes of it:
    selection     which scenarios are wanted, and which a guest can make
    ground        what the guest has to do before a scenario
    attempt       one scenario, made
    observed      what is seen of it, and the rules that are checked
    expectations  what the scenario asks for besides
    judging       every scenario in every way
    milestones    how far a boot came
    variants      the same image on other machines
    emulate       an image in, a report out
    facts         what is known of it before
"""
