/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual addresses known at build time, counted down from FIXADDR_TOP. */
#ifndef ASM_FIXMAP_H
#define ASM_FIXMAP_H

#include <asm/page.h>

#define FIXADDR_TOP 0xffff82cffffff000UL

enum fixed_addresses {
    FIX_HOLE,
    FIX_APIC_BASE,
    __end_of_fixed_addresses
};

static inline unsigned long fix_to_virt(enum fixed_addresses idx)
{
    return FIXADDR_TOP - ((unsigned long)idx << PAGE_SHIFT);
}

static inline void set_fixmap(enum fixed_addresses idx, paddr_t pa,
                              unsigned int flags)
{
    l1_fixmap[511 - idx] = pa | flags;
    asm volatile ( "invlpg %0" :: "m" (*(char *)fix_to_virt(idx)) : "memory" );
}

#endif /* ASM_FIXMAP_H */
