/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASM_HYPERCALL_H
#define ASM_HYPERCALL_H

typedef unsigned long hypercall_fn_t(unsigned long, unsigned long,
                                     unsigned long, unsigned long,
                                     unsigned long);

typedef struct {
    hypercall_fn_t *native;
#ifdef CONFIG_COMPAT
    hypercall_fn_t *compat;
#endif
} pv_hypercall_table_t;

#define NR_hypercalls 41

#endif /* ASM_HYPERCALL_H */
