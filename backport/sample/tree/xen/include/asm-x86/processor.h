/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASM_PROCESSOR_H
#define ASM_PROCESSOR_H

#include <xen/types.h>

#define X86_CR4_SMEP (1UL << 20)
#define X86_CR4_SMAP (1UL << 21)

#define X86_EFLAGS_MBS 0x00000002
#define X86_EFLAGS_IF  0x00000200
#define X86_EFLAGS_AC  0x00040000

#define MSR_EFER  0xc0000080
#define MSR_STAR  0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define EFER_SCE  (1UL << 0)

static inline void cpuid(uint32_t leaf, uint32_t *a, uint32_t *b, uint32_t *c,
                         uint32_t *d)
{
    asm volatile ( "cpuid" : "=a" (*a), "=b" (*b), "=c" (*c), "=d" (*d)
                   : "0" (leaf), "2" (0) );
}

static inline void wrmsrl(uint32_t msr, uint64_t val)
{
    asm volatile ( "wrmsr" :: "c" (msr), "a" ((uint32_t)val),
                   "d" ((uint32_t)(val >> 32)) : "memory" );
}

static inline uint64_t rdmsrl(uint32_t msr)
{
    uint32_t lo, hi;

    asm volatile ( "rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr) );

    return lo | (uint64_t)hi << 32;
}

static inline unsigned long read_cr2(void)
{
    unsigned long v;

    asm volatile ( "mov %%cr2, %0" : "=r" (v) );

    return v;
}

static inline unsigned long read_cr4(void)
{
    unsigned long v;

    asm volatile ( "mov %%cr4, %0" : "=r" (v) );

    return v;
}

static inline void write_cr4(unsigned long v)
{
    asm volatile ( "mov %0, %%cr4" :: "r" (v) : "memory" );
}

static inline void write_cr3(unsigned long v)
{
    asm volatile ( "mov %0, %%cr3" :: "r" (v) : "memory" );
}

static inline void outb(uint8_t v, uint16_t port)
{
    asm volatile ( "outb %0, %1" :: "a" (v), "Nd" (port) );
}

static inline void halt(void)
{
    asm volatile ( "cli; hlt" ::: "memory" );
}

#endif /* ASM_PROCESSOR_H */
