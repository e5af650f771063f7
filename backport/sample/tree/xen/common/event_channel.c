/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event channels of the one guest: virtual interrupts, and the bookkeeping. */
#include <xen/errno.h>
#include <xen/event.h>
#include <xen/guest_access.h>
#include <xen/hypercall.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/xmalloc.h>
#include <asm/current.h>

static struct evtchn *alloc_evtchn_bucket(unsigned int port)
{
    struct evtchn *chn = alloc_xenheap_page();
    unsigned int i;

    for ( i = 0; chn && i < EVTCHNS_PER_BUCKET; i++ )
        chn[i].port = port + i;

    return chn;
}

int evtchn_init(struct domain *d)
{
    struct evtchn **group = alloc_xenheap_page();

    d->evtchn = alloc_evtchn_bucket(0);
    if ( !group || !d->evtchn )
        return -ENOMEM;

    d->evtchn_group[0] = group;
    group[0] = d->evtchn;
    d->max_evtchns = MAX_NR_EVTCHNS;
    d->max_evtchn_port = MAX_NR_EVTCHNS - 1;
    d->valid_evtchns = EVTCHNS_PER_BUCKET;
    /* Port 0 means "none". */
    d->evtchn[0].state = ECS_RESERVED;

    return 0;
}

static int get_free_port(struct domain *d)
{
    struct evtchn *chn;
    unsigned int port;

    for ( port = 0; port_is_valid(d, port); port++ )
        if ( evtchn_from_port(d, port)->state == ECS_FREE )
            return port;

    if ( port == d->max_evtchns || port > d->max_evtchn_port )
        return -ENOSPC;

    chn = alloc_evtchn_bucket(port);
    if ( !chn )
        return -ENOMEM;
    d->evtchn_group[0][port / EVTCHNS_PER_BUCKET] = chn;
    d->valid_evtchns += EVTCHNS_PER_BUCKET;

    return port;
}

void evtchn_free(struct domain *d, struct evtchn *chn)
{
    ASSERT(spin_is_locked(&d->event_lock));

    chn->notify_vcpu_id = 0;
    chn->state = ECS_FREE;
    d->shared_info->evtchn_pending[chn->port / 64] &= ~(1UL << (chn->port % 64));
}

int evtchn_bind_virq(struct evtchn_bind_virq *bind)
{
    struct domain *d = current->domain;
    struct evtchn *chn;
    struct vcpu *v;
    int rc;

    if ( bind->virq >= NR_VIRQS )
        return -EINVAL;
    if ( bind->vcpu >= d->max_vcpus || (v = d->vcpu[bind->vcpu]) == NULL )
        return -ENOENT;

    spin_lock(&d->event_lock);

    rc = -EEXIST;
    if ( v->virq_to_evtchn[bind->virq] )
        goto out;

    rc = get_free_port(d);
    if ( rc < 0 )
        goto out;

    chn = evtchn_from_port(d, rc);
    bind->port = rc;
    chn->state = ECS_VIRQ;
    chn->notify_vcpu_id = v->vcpu_id;
    chn->u.virq = bind->virq;
    v->virq_to_evtchn[bind->virq] = bind->port;
    rc = 0;

 out:
    spin_unlock(&d->event_lock);

    return rc;
}

int evtchn_close(struct domain *d, unsigned int port, bool guest)
{
    struct evtchn *chn;
    int rc = -EINVAL;

    spin_lock(&d->event_lock);

    if ( !port_is_valid(d, port) )
        goto out;
    chn = evtchn_from_port(d, port);
    if ( chn->state == ECS_FREE || (guest && chn->state == ECS_RESERVED) )
        goto out;

    if ( chn->state == ECS_VIRQ )
        d->vcpu[chn->notify_vcpu_id]->virq_to_evtchn[chn->u.virq] = 0;
    evtchn_free(d, chn);
    rc = 0;

 out:
    spin_unlock(&d->event_lock);

    return rc;
}

int evtchn_status(struct evtchn_status *status)
{
    struct domain *d = current->domain;
    const struct evtchn *chn;
    int rc = 0;

    if ( status->dom != DOMID_SELF && status->dom != d->domain_id )
        return -ESRCH;

    spin_lock(&d->event_lock);

    if ( !port_is_valid(d, status->port) )
        rc = -EINVAL;
    else
    {
        chn = evtchn_from_port(d, status->port);
        status->status = EVTCHNSTAT_closed;
        if ( chn->state == ECS_VIRQ )
        {
            status->status = EVTCHNSTAT_virq;
            status->u.virq = chn->u.virq;
        }
        status->vcpu = chn->notify_vcpu_id;
    }

    spin_unlock(&d->event_lock);

    return rc;
}

int evtchn_bind_vcpu(unsigned int port, unsigned int vcpu_id)
{
    struct domain *d = current->domain;
    int rc = -EINVAL;

    if ( vcpu_id >= d->max_vcpus || !d->vcpu[vcpu_id] )
        return -ENOENT;

    spin_lock(&d->event_lock);

    if ( port_is_valid(d, port) &&
         evtchn_from_port(d, port)->state == ECS_VIRQ &&
         evtchn_from_port(d, port)->u.virq > VIRQ_DEBUG )
    {
        evtchn_from_port(d, port)->notify_vcpu_id = vcpu_id;
        rc = 0;
    }

    spin_unlock(&d->event_lock);

    return rc;
}

void evtchn_set_pending(struct vcpu *v, unsigned int port)
{
    struct shared_info *s = v->domain->shared_info;
    unsigned long bit = 1UL << (port % 64);

    if ( __atomic_fetch_or(&s->evtchn_pending[port / 64], bit,
                           __ATOMIC_SEQ_CST) & bit )
        return;
    if ( s->evtchn_mask[port / 64] & bit )
        return;

    __atomic_fetch_or(&v->vcpu_info->evtchn_pending_sel, 1UL << (port / 64),
                      __ATOMIC_SEQ_CST);
    v->vcpu_info->evtchn_upcall_pending = 1;
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq)
{
    if ( v->virq_to_evtchn[virq] )
        evtchn_set_pending(v, v->virq_to_evtchn[virq]);
}

int evtchn_unmask(unsigned int port)
{
    struct domain *d = current->domain;
    struct shared_info *s = d->shared_info;
    unsigned long bit = 1UL << (port % 64);
    struct vcpu *v;

    if ( !port_is_valid(d, port) )
        return -EINVAL;

    v = d->vcpu[evtchn_from_port(d, port)->notify_vcpu_id];
    if ( (__atomic_fetch_and(&s->evtchn_mask[port / 64], ~bit,
                             __ATOMIC_SEQ_CST) & bit) &&
         (s->evtchn_pending[port / 64] & bit) )
    {
        __atomic_fetch_or(&v->vcpu_info->evtchn_pending_sel, 1UL << (port / 64),
                          __ATOMIC_SEQ_CST);
        v->vcpu_info->evtchn_upcall_pending = 1;
    }

    return 0;
}

long do_event_channel_op(int cmd, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct domain *d = current->domain;
    int rc = -ENOSYS;

    switch ( cmd )
    {
    case EVTCHNOP_bind_virq:
    {
        struct evtchn_bind_virq bind;

        if ( copy_from_guest(&bind, arg, 1) )
            return -EFAULT;
        rc = evtchn_bind_virq(&bind);
        if ( !rc && __copy_to_guest(arg, &bind, 1) )
        {
            evtchn_close(d, bind.port, false);
            rc = -EFAULT;
        }
        break;
    }

    case EVTCHNOP_close:
    {
        struct evtchn_close close;

        if ( copy_from_guest(&close, arg, 1) )
            return -EFAULT;
        rc = evtchn_close(d, close.port, true);
        break;
    }

    case EVTCHNOP_status:
    {
        struct evtchn_status status;

        if ( copy_from_guest(&status, arg, 1) )
            return -EFAULT;
        rc = evtchn_status(&status) ?:
             __copy_to_guest(arg, &status, 1) ? -EFAULT : 0;
        break;
    }

    case EVTCHNOP_bind_vcpu:
    {
        struct evtchn_bind_vcpu bind;

        if ( copy_from_guest(&bind, arg, 1) )
            return -EFAULT;
        rc = evtchn_bind_vcpu(bind.port, bind.vcpu);
        break;
    }

    case EVTCHNOP_unmask:
    {
        struct evtchn_unmask unmask;

        return copy_from_guest(&unmask, arg, 1) ? -EFAULT
                                                : evtchn_unmask(unmask.port);
    }
    }

    return rc;
}
