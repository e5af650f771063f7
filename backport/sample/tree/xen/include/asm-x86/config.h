/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASM_CONFIG_H
#define ASM_CONFIG_H

#ifdef __ASSEMBLY__
#define UL(x) x
#else
#define UL(x) x ## UL
#endif

#define PAGE_SHIFT 12
#define PAGE_SIZE  (UL(1) << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define STACK_ORDER 3
#define STACK_SIZE  (PAGE_SIZE << STACK_ORDER)

/*
 * 0xffff800000000000 - 0xffff880000000000  not for the guest
 *   0xffff82cffffff000                     last page of the fixmap
 *   0xffff82d080000000                     physical 0, seen by the image
 *   0xffff830000000000                     the first 4 GiB, one to one
 */
#define HYPERVISOR_VIRT_START UL(0xffff800000000000)
#define HYPERVISOR_VIRT_END   UL(0xffff880000000000)
#define XEN_VIRT_START        UL(0xffff82d080000000)
#define XEN_IMG_OFFSET        UL(0x200000)
#define DIRECTMAP_VIRT_START  UL(0xffff830000000000)
#define DIRECTMAP_SIZE        UL(0x100000000)

#define HYPERVISOR_COMPAT_VIRT_START UL(0xf5800000)

#define __HYPERVISOR_CS 0xe008
#define __HYPERVISOR_DS 0xe010
#define FLAT_RING1_CS   0xe019
#define FLAT_RING1_DS   0xe021
#define FLAT_RING3_CS32 0xe023
#define FLAT_RING3_DS32 0xe02b
#define FLAT_RING3_SS64 0xe02b
#define FLAT_RING3_CS64 0xe033
#define TSS_SELECTOR    0xe040
#define FIRST_RESERVED_GDT_BYTE 0xe000

#define sym_phys(sym) ((sym) - XEN_VIRT_START)

#endif /* ASM_CONFIG_H */
