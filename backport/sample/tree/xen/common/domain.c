/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/xmalloc.h>

struct domain *domain_create(domid_t domid, unsigned int max_vcpus)
{
    struct domain *d = xzalloc(struct domain);
    unsigned int i;

    if ( !d )
        return NULL;

    d->domain_id = domid;
    d->max_vcpus = max_vcpus;
    d->guest_type = guest_type_pv;
    spin_lock_init(&d->event_lock);
    d->shared_info = alloc_xenheap_page();
    d->vcpu = xzalloc_array(struct vcpu *, max_vcpus);
    if ( !d->shared_info || !d->vcpu || evtchn_init(d) )
        return NULL;

    for ( i = 0; i < max_vcpus; i++ )
    {
        struct vcpu *v = xzalloc(struct vcpu);

        if ( !v )
            return NULL;
        v->vcpu_id = i;
        v->domain = d;
        v->vcpu_info = &d->shared_info->vcpu_info[i];
        v->vcpu_info->evtchn_upcall_mask = 1;
        d->vcpu[i] = v;
        if ( i )
            d->vcpu[i - 1]->next_in_list = v;
    }

    return d;
}
