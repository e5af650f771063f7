/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_EVENT_H
#define XEN_EVENT_H

#include <xen/sched.h>

int evtchn_init(struct domain *d);
int evtchn_bind_virq(struct evtchn_bind_virq *bind);
int evtchn_bind_vcpu(unsigned int port, unsigned int vcpu_id);
int evtchn_status(struct evtchn_status *status);
int evtchn_close(struct domain *d, unsigned int port, bool guest);
int evtchn_unmask(unsigned int port);

/* Forget a port; event_lock is held. */
void evtchn_free(struct domain *d, struct evtchn *chn);

void evtchn_set_pending(struct vcpu *v, unsigned int port);
void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq);

#endif /* XEN_EVENT_H */
