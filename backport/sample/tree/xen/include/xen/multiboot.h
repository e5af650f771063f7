/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the Multiboot 1 information that are read here. */
#ifndef XEN_MULTIBOOT_H
#define XEN_MULTIBOOT_H

#include <xen/types.h>

#define MBI_MEMLIMITS (1u << 0)
#define MBI_CMDLINE   (1u << 2)
#define MBI_MODULES   (1u << 3)

typedef struct {
    uint32_t flags;
    uint32_t mem_lower;
    uint32_t mem_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count;
    uint32_t mods_addr;
} multiboot_info_t;

typedef struct {
    uint32_t mod_start;
    uint32_t mod_end;
    uint32_t string;
    uint32_t reserved;
} module_t;

#endif /* XEN_MULTIBOOT_H */
