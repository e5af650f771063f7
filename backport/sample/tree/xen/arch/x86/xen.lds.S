/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <asm/config.h>

OUTPUT_FORMAT(elf64-x86-64)
ENTRY(start_pa)

PHDRS
{
    text PT_LOAD;
}

SECTIONS
{
    . = XEN_VIRT_START + XEN_IMG_OFFSET;
    _start = .;
    .text : AT(ADDR(.text) - XEN_VIRT_START) {
        *(.text.head)
        *(.text .text.*)
        *(.fixup)
        *(.altinstr_replacement)
    } :text

    .rodata ALIGN(4096) : AT(ADDR(.rodata) - XEN_VIRT_START) {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        __start_ex_table = .;
        *(.ex_table)
        __stop_ex_table = .;
        . = ALIGN(8);
        __start_altinstructions = .;
        *(.altinstructions)
        __stop_altinstructions = .;
        . = ALIGN(8);
        __start_bug_frames = .;
        *(.bug_frames.*)
        __stop_bug_frames = .;
    } :text

    .data ALIGN(4096) : AT(ADDR(.data) - XEN_VIRT_START) {
        *(.data .data.*)
    } :text

    .bss ALIGN(4096) : AT(ADDR(.bss) - XEN_VIRT_START) {
        __bss_start = .;
        *(.bss.stack)
        *(.bss .bss.* COMMON)
        . = ALIGN(4096);
        __bss_end = .;
    } :text
    _end = .;

    start_pa = start - XEN_VIRT_START;

    /DISCARD/ : { *(.comment) *(.eh_frame) *(.note.GNU-stack) *(.note.gnu.*) }
}
