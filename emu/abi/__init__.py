# SPDX-License-Identifier: GPL-2.0-or-later
"""The public Xen ABI as data: numbers, names, structure layouts and who fills which field.

names        hypercalls, operations, constants, errors, and their names
struct       what a structure is
arguments    the structure of each operation
start_info   the page that a guest starts and resumes with
"""

from emu.abi.arguments import Mode, structure
from emu.abi.names import (
    ARGUMENT_REGISTERS,
    CONSTANTS,
    ERRNO,
    HYPERCALL_INSTRUCTION_SIZE,
    HYPERCALL_INSTRUCTIONS,
    HYPERCALL_NAMES,
    HYPERCALL_STRIDE,
    HYPERCALLS,
    OPERATIONS,
    named_value,
    numbers,
    operation_name,
    result_name,
    signed,
)
from emu.abi.start_info import (
    CMD_LINE,
    MACH2PHYS,
    MAGIC,
    MAGIC_SIZE,
    PT_BASE,
    START_INFO,
    START_OF_DAY,
)
from emu.abi.struct import Member, Struct

__all__ = [
    "ARGUMENT_REGISTERS",
    "CMD_LINE",
    "CONSTANTS",
    "ERRNO",
    "HYPERCALLS",
    "HYPERCALL_INSTRUCTIONS",
    "HYPERCALL_INSTRUCTION_SIZE",
    "HYPERCALL_NAMES",
    "HYPERCALL_STRIDE",
    "MACH2PHYS",
    "MAGIC",
    "MAGIC_SIZE",
    "OPERATIONS",
    "PT_BASE",
    "START_INFO",
    "START_OF_DAY",
    "Member",
    "Mode",
    "Struct",
    "named_value",
    "numbers",
    "operation_name",
    "result_name",
    "signed",
    "structure",
]
