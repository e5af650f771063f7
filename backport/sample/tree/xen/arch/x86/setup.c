/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the first C code to the guest's first instruction. */
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <asm/alternative.h>
#include <asm/processor.h>
#include <asm/setup.h>

uint32_t boot_cpu_features;
paddr_t boot_mem_end;

static void identify_cpu(void)
{
    uint32_t a, b, c, d;

    cpuid(0, &a, &b, &c, &d);
    if ( a < 7 )
        return;

    cpuid(7, &a, &b, &c, &d);
    if ( b & (1u << 7) )
        boot_cpu_features |= 1u << X86_FEATURE_XEN_SMEP;
    if ( b & (1u << 20) )
        boot_cpu_features |= 1u << X86_FEATURE_XEN_SMAP;
}

/* From here on guest memory is reached between stac and clac only. */
static void protect_from_guest(const struct domain *d)
{
    unsigned long cr4 = read_cr4();

    /* Ring 1 counts as supervisor: its own pages would be out of its reach. */
    if ( !is_pv_32bit_domain(d) )
    {
        if ( cpu_has(X86_FEATURE_XEN_SMEP) )
            cr4 |= X86_CR4_SMEP;
        if ( cpu_has(X86_FEATURE_XEN_SMAP) )
            cr4 |= X86_CR4_SMAP;
    }
    write_cr4(cr4);
    get_cpu_info()->cr4 = cr4;
}

void __start_xen(paddr_t mbi_pa)
{
    const multiboot_info_t *mbi = maddr_to_virt(mbi_pa);
    const module_t *mod = maddr_to_virt(mbi->mods_addr);
    struct domain *d;

    if ( mbi->flags & MBI_CMDLINE )
        saved_cmdline = maddr_to_virt(mbi->cmdline);
    printk(XENLOG_INFO "starting: %s\n", saved_cmdline);

    if ( mbi->flags & MBI_MEMLIMITS )
        boot_mem_end = 0x100000 + ((paddr_t)mbi->mem_upper << 10);
    memory_init();

    identify_cpu();
    apply_alternatives();
    trap_init();

    d = domain_create(0, 1);
    if ( !d )
        panic("Cannot create the guest's domain\n");
    set_current(d->vcpu[0]);

    if ( !(mbi->flags & MBI_MODULES) || !mbi->mods_count )
        panic("No kernel among the modules\n");
    if ( dom0_construct_pv(d, maddr_to_virt(mod->mod_start),
                           mod->mod_end - mod->mod_start,
                           maddr_to_virt(mod->string),
                           guest_cpu_user_regs()) )
        panic("Cannot build the guest\n");

    protect_from_guest(d);
    write_cr3(d->arch.cr3);
    d->vcpu[0]->is_initialised = true;
    reset_stack_and_enter_guest();
}
