/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASM_CURRENT_H
#define ASM_CURRENT_H

#include <xen/types.h>
#include <asm/config.h>

/* The frame that the entry points push, lowest address first. */
struct cpu_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code, entry_vector;
    uint64_t rip;
    uint64_t cs, rflags;
    uint64_t rsp, ss;
};

struct vcpu;

/* In the last bytes of every stack, which is aligned to its size. */
struct cpu_info {
    struct cpu_user_regs guest_cpu_user_regs;
    struct vcpu *current_vcpu;
    unsigned int processor_id;
    unsigned long cr4;
    unsigned long per_cpu_offset;
};

/* The frame begins where the TSS says, and the CPU aligns that to 16 bytes. */
_Static_assert((sizeof(struct cpu_info) - sizeof(struct cpu_user_regs)) % 16 == 0,
               "rsp0 is not aligned");

static inline struct cpu_info *get_cpu_info(void)
{
    unsigned long sp;

    asm ( "mov %%rsp, %0" : "=r" (sp) );

    return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1) - 1;
}

#define get_current()    (get_cpu_info()->current_vcpu)
#define set_current(v)   (get_cpu_info()->current_vcpu = (v))
#define current          (get_current())
#define smp_processor_id() (get_cpu_info()->processor_id)
#define guest_cpu_user_regs() (&get_cpu_info()->guest_cpu_user_regs)

#endif /* ASM_CURRENT_H */
