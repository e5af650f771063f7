/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASM_SETUP_H
#define ASM_SETUP_H

#include <xen/multiboot.h>
#include <xen/sched.h>
#include <asm/current.h>

void __start_xen(paddr_t mbi_pa) __attribute__((noreturn));

void trap_init(void);
void do_trap(struct cpu_user_regs *regs);
void pv_hypercall(struct cpu_user_regs *regs);

/* Build the guest from the ELF image at @image and leave its first registers
   in @regs. */
int dom0_construct_pv(struct domain *d, const void *image, size_t size,
                      const char *cmdline, struct cpu_user_regs *regs);

void reset_stack_and_enter_guest(void) __attribute__((noreturn));

extern uint32_t boot_cpu_features;
#define cpu_has(bit) (boot_cpu_features & (1u << (bit)))

/* What the loader told us; later code does not see which protocol it spoke. */
extern paddr_t boot_mem_end;

#endif /* ASM_SETUP_H */
