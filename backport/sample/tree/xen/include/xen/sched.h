/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_SCHED_H
#define XEN_SCHED_H

#include <xen/spinlock.h>
#include <xen/types.h>
#include <public/event_channel.h>
#include <asm/config.h>

#define ECS_FREE        0
#define ECS_RESERVED    1 /* taken, but not by one of our own kinds */
#define ECS_UNBOUND     2
#define ECS_INTERDOMAIN 3
#define ECS_PIRQ        4
#define ECS_VIRQ        5
#define ECS_IPI         6

struct evtchn {
    uint8_t state;
    uint16_t notify_vcpu_id;
    uint32_t port;
    union {
        struct {
            domid_t remote_domid;
        } unbound;
        struct {
            uint16_t remote_port;
            struct domain *remote_dom;
        } interdomain;
        uint16_t virq;
    } u;
    uint8_t priority;
} __attribute__((aligned(32)));

#define EVTCHNS_PER_BUCKET (PAGE_SIZE / sizeof(struct evtchn))
#define BUCKETS_PER_GROUP  (PAGE_SIZE / sizeof(struct evtchn *))
#define EVTCHNS_PER_GROUP  (EVTCHNS_PER_BUCKET * BUCKETS_PER_GROUP)
#define NR_EVTCHN_GROUPS   2
#define MAX_NR_EVTCHNS     4096

enum guest_type {
    guest_type_pv,
    guest_type_hvm,
};

struct vcpu {
    unsigned int vcpu_id;
    unsigned int processor;
    struct vcpu *next_in_list;
    struct domain *domain;
    struct vcpu_info *vcpu_info;
    uint16_t virq_to_evtchn[NR_VIRQS];
    bool is_initialised;
};

struct domain {
    domid_t domain_id;
    unsigned int max_vcpus;
    struct shared_info *shared_info;
    struct vcpu **vcpu;
    spinlock_t event_lock;
    unsigned int max_evtchns;
    unsigned int max_evtchn_port;
    unsigned int valid_evtchns;
    struct evtchn *evtchn;
    struct evtchn **evtchn_group[NR_EVTCHN_GROUPS];
    enum guest_type guest_type;
    struct {
        bool is_32bit_pv;
        unsigned int hv_compat_vstart;
        unsigned long cr3;
    } arch;
};

#define is_pv_32bit_domain(d) ((d)->arch.is_32bit_pv)

static inline bool port_is_valid(const struct domain *d, unsigned int port)
{
    return port < d->max_evtchns && port < d->valid_evtchns;
}

static inline struct evtchn *evtchn_from_port(const struct domain *d,
                                              unsigned int port)
{
    struct evtchn **group;

    if ( port < EVTCHNS_PER_BUCKET )
        return &d->evtchn[port];

    group = d->evtchn_group[port / EVTCHNS_PER_GROUP];
    return &group[port % EVTCHNS_PER_GROUP / EVTCHNS_PER_BUCKET]
                 [port % EVTCHNS_PER_BUCKET];
}

struct domain *domain_create(domid_t domid, unsigned int max_vcpus);

#endif /* XEN_SCHED_H */
