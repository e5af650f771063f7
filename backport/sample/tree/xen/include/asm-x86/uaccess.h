/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies to and from the guest.  Every instruction that touches guest memory
 * has an entry in .ex_table, so that a fault there ends in an error and not in
 * a crash, and stands between stac and clac.
 */
#ifndef ASM_UACCESS_H
#define ASM_UACCESS_H

#include <xen/types.h>
#include <asm/alternative.h>
#include <asm/config.h>

#define STAC ALTERNATIVE3("stac", 1)
#define CLAC ALTERNATIVE3("clac", 1)

#define _ASM_EXTABLE(from, to)                          \
    ".pushsection .ex_table, \"a\", @progbits\n"        \
    ".p2align 2\n"                                      \
    ".long " #from " - .\n"                             \
    ".long " #to " - .\n"                               \
    ".popsection\n"

static inline bool access_ok(const volatile void *p, unsigned long size)
{
    unsigned long start = (unsigned long)p, end = start + size;

    return end >= start && (end <= HYPERVISOR_VIRT_START ||
                            start >= HYPERVISOR_VIRT_END);
}

/* All return the number of bytes not copied; only the last checks the range. */
unsigned int __copy_to_user_ll(void *to, const void *from, unsigned int n);
unsigned int __copy_from_user_ll(void *to, const void *from, unsigned int n);
unsigned int copy_from_user(void *to, const void *from, unsigned int n);

#define put_user_asm(x, addr, suffix, err)              \
    asm volatile ( STAC                                 \
                   "1: mov" suffix " %2, %1\n"          \
                   "2: " CLAC                           \
                   ".pushsection .fixup, \"ax\"\n"      \
                   "3: movl %3, %0\n"                   \
                   "jmp 2b\n"                           \
                   ".popsection\n"                      \
                   _ASM_EXTABLE(1b, 3b)                 \
                   : "+r" (err), "=m" (*(addr))         \
                   : "r" (x), "i" (sizeof(*(addr))) )

static inline unsigned int __copy_to_user(void *to, const void *from,
                                          unsigned int n)
{
    unsigned int err = 0;

    if ( __builtin_constant_p(n) && n == 4 )
    {
        put_user_asm(*(const uint32_t *)from, (uint32_t *)to, "l", err);
        return err;
    }
    if ( __builtin_constant_p(n) && n == 8 )
    {
        put_user_asm(*(const uint64_t *)from, (uint64_t *)to, "q", err);
        return err;
    }

    return __copy_to_user_ll(to, from, n);
}

/* Where to go on after a fault at @addr, or 0. */
unsigned long search_exception_table(unsigned long addr);

#endif /* ASM_UACCESS_H */
