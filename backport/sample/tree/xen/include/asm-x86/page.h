/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASM_PAGE_H
#define ASM_PAGE_H

#include <asm/config.h>

#define _PAGE_PRESENT 0x001
#define _PAGE_RW      0x002
#define _PAGE_USER    0x004
#define _PAGE_PCD     0x010
#define _PAGE_PSE     0x080
#define PAGE_HYPERVISOR (_PAGE_PRESENT | _PAGE_RW)
#define PAGE_GUEST      (_PAGE_PRESENT | _PAGE_RW | _PAGE_USER)

#ifndef __ASSEMBLY__

#include <xen/types.h>

#define PADDR_MASK 0x000ffffffffff000UL

#define pgtable_index(va, level) (((va) >> (PAGE_SHIFT + 9 * ((level) - 1))) & 511)

static inline void *maddr_to_virt(paddr_t pa)
{
    return (void *)(DIRECTMAP_VIRT_START + pa);
}

static inline paddr_t virt_to_maddr(const volatile void *p)
{
    unsigned long va = (unsigned long)p;

    return va - (va >= DIRECTMAP_VIRT_START ? DIRECTMAP_VIRT_START
                                            : XEN_VIRT_START);
}

#define virt_to_mfn(p) (virt_to_maddr(p) >> PAGE_SHIFT)
#define mfn_to_virt(m) maddr_to_virt((paddr_t)(m) << PAGE_SHIFT)

/* Map one page below the root @l4, making tables as needed. */
void map_page(uint64_t *l4, unsigned long va, paddr_t pa, unsigned int flags);

extern uint64_t idle_pg_table[512];
extern uint64_t l1_fixmap[512];

#endif /* !__ASSEMBLY__ */

#endif /* ASM_PAGE_H */
