/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small hypercalls. */
#include <xen/console.h>
#include <xen/errno.h>
#include <xen/guest_access.h>
#include <xen/hypercall.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <public/sched.h>
#include <asm/current.h>

#define XENVER_version 0

long do_xen_version(int cmd, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    return cmd == XENVER_version ? (4 << 16) | 10 : -ENOSYS;
}

long do_console_io(int cmd, int count, XEN_GUEST_HANDLE_PARAM(char) buffer)
{
    char chunk[128];
    int done, n;

    if ( cmd != CONSOLEIO_write )
        return -ENOSYS;
    if ( count < 0 )
        return -EINVAL;

    for ( done = 0; done < count; done += n )
    {
        n = min(count - done, (int)sizeof(chunk));
        if ( copy_from_user(chunk, buffer.p + done, n) )
            return -EFAULT;
        console_puts(chunk, n);
    }

    return 0;
}

long do_sched_op(int cmd, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    unsigned int reason;

    switch ( cmd )
    {
    case SCHEDOP_yield:
        return 0;

    case SCHEDOP_shutdown:
        if ( copy_from_guest(&reason, arg, 1) )
            return -EFAULT;
        panic(XENLOG_INFO "guest has shut down, reason %u\n", reason);
    }

    return -ENOSYS;
}

#define VCPUOP_is_up 3

long do_vcpu_op(int cmd, unsigned int vcpuid, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    const struct domain *d = current->domain;

    if ( vcpuid >= d->max_vcpus || !d->vcpu[vcpuid] )
        return -ENOENT;

    return cmd == VCPUOP_is_up ? d->vcpu[vcpuid]->is_initialised : -ENOSYS;
}
