/* SPDX-License-Identifier: GPL-2.0-or-later */
/* There is one guest and nobody to grant pages to. */
#include <xen/errno.h>
#include <xen/hypercall.h>

long do_grant_table_op(unsigned int cmd, XEN_GUEST_HANDLE_PARAM(void) uop,
                       unsigned int count)
{
    return -ENOSYS;
}
