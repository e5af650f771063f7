/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An instruction that only some CPUs have starts out as a NOP of the same
 * length; apply_alternatives() puts the real one in its place.
 */
#ifndef ASM_ALTERNATIVE_H
#define ASM_ALTERNATIVE_H

#define X86_FEATURE_XEN_SMEP 0
#define X86_FEATURE_XEN_SMAP 1

#ifdef __ASSEMBLY__

.macro alternative3 insn, feature
771:    .byte 0x0f, 0x1f, 0x00
        .pushsection .altinstructions, "a", @progbits
        .long 771b - .
        .long 772f - .
        .word \feature
        .byte 3, 3
        .popsection
        .pushsection .altinstr_replacement, "ax", @progbits
772:    \insn
        .popsection
.endm

#else

#include <xen/types.h>

struct alt_instr {
    int32_t instr;
    int32_t repl;
    uint16_t cpuid;
    uint8_t instrlen;
    uint8_t repllen;
} __attribute__((packed));

/* For instructions of three bytes: 0f 1f 00 is the NOP of that length. */
#define ALTERNATIVE3(insn, feature)                                 \
    "771: .byte 0x0f, 0x1f, 0x00\n"                                 \
    ".pushsection .altinstructions, \"a\", @progbits\n"             \
    " .long 771b - .\n"                                             \
    " .long 772f - .\n"                                             \
    " .word " #feature "\n"                                         \
    " .byte 3, 3\n"                                                 \
    ".popsection\n"                                                 \
    ".pushsection .altinstr_replacement, \"ax\", @progbits\n"       \
    "772: " insn "\n"                                               \
    ".popsection\n"

void apply_alternatives(void);

#endif

#endif /* ASM_ALTERNATIVE_H */
