/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/lib.h>
#include <asm/uaccess.h>

/* After a fault in the middle %rcx holds what is left. */
#define copy_bytes(to, from, n)                         \
    asm volatile ( STAC                                 \
                   "1: rep movsb\n"                     \
                   "2: " CLAC                           \
                   _ASM_EXTABLE(1b, 2b)                 \
                   : "+D" (to), "+S" (from), "+c" (n)   \
                   :: "memory" )

unsigned int __copy_to_user_ll(void *to, const void *from, unsigned int n)
{
    unsigned long left = n;

    copy_bytes(to, from, left);

    return left;
}

unsigned int __copy_from_user_ll(void *to, const void *from, unsigned int n)
{
    unsigned long left = n;

    copy_bytes(to, from, left);

    return left;
}

unsigned int copy_from_user(void *to, const void *from, unsigned int n)
{
    if ( access_ok(from, n) )
        n = __copy_from_user_ll(to, from, n);

    return n;
}
