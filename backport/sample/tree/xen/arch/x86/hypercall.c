/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which function answers which hypercall, and the way there from the guest. */
#include <xen/errno.h>
#include <xen/hypercall.h>
#include <xen/lib.h>
#include <asm/hypercall.h>
#include <asm/setup.h>

#ifdef CONFIG_COMPAT
#define HYPERCALL(x) \
    [ __HYPERVISOR_ ## x ] = { (hypercall_fn_t *)do_ ## x, \
                               (hypercall_fn_t *)do_ ## x }
#else
#define HYPERCALL(x) \
    [ __HYPERVISOR_ ## x ] = { (hypercall_fn_t *)do_ ## x }
#endif

static const pv_hypercall_table_t pv_hypercall_table[NR_hypercalls] = {
    HYPERCALL(console_io),
    HYPERCALL(event_channel_op),
    HYPERCALL(grant_table_op),
    HYPERCALL(sched_op),
    HYPERCALL(vcpu_op),
    HYPERCALL(xen_version),
};

void pv_hypercall(struct cpu_user_regs *regs)
{
    unsigned int nr = regs->rax;
    hypercall_fn_t *fn = NULL;

#ifdef CONFIG_COMPAT
    if ( is_pv_32bit_domain(current->domain) )
    {
        if ( nr < NR_hypercalls )
            fn = pv_hypercall_table[nr].compat;
        regs->rax = (uint32_t)(fn ? fn((uint32_t)regs->rbx, (uint32_t)regs->rcx,
                                       (uint32_t)regs->rdx, (uint32_t)regs->rsi,
                                       (uint32_t)regs->rdi) : -ENOSYS);
        return;
    }
#endif

    if ( nr < NR_hypercalls )
        fn = pv_hypercall_table[nr].native;
    regs->rax = fn ? fn(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8)
                   : -ENOSYS;
}
