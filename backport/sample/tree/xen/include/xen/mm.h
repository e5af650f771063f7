/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_MM_H
#define XEN_MM_H

#include <xen/types.h>
#include <asm/page.h>

typedef unsigned long mfn_t;
#define INVALID_MFN (~0UL)

/* Whole pages of zeroed RAM, never given back. */
void *alloc_xenheap_page(void);

void memory_init(void);
extern unsigned long max_page;

#endif /* XEN_MM_H */
