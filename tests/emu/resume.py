# SPDX-License-Identifier: GPL-2.0-or-later
"""A miniature core that can be suspended and resumed: the one of `mini`, and what that takes."""

from __future__ import annotations

from emu.findings.verdict import ObjectReport
from emu.object import Depth, emulate_object
from tests.emu import mini
from tests.emu.build import compile_source

STRUCTURES = (
    (
        "u32 max_vcpus, max_evtchns,",
        "u32 tot_pages; void *shared_info; u32 max_vcpus, max_evtchns,",
    ),
    (
        "struct vcpu { u32 vcpu_id; struct domain *domain; };",
        "struct vcpu { u32 vcpu_id; struct domain *domain, *pad; struct vcpu *next_in_list;\n"
        "              u64 pause_flags; u8 is_initialised; };",
    ),
    (
        "struct cpu_info { u64 regs[16];",
        "struct cpu_user_regs { u64 rax, rdx; };\n"
        "struct cpu_info { u64 regs[16]; struct cpu_user_regs guest_cpu_user_regs;",
    ),
)

SHUTDOWN = r"""
struct sched_shutdown { u32 reason; };
struct xen_hvm_param { u16 domid; u32 index; u64 value; };
struct start_info {
    char magic[32];
    u64 nr_pages, shared_info;
    u32 flags;
    u64 store_mfn;
    u32 store_evtchn;
    u64 console_mfn;
    u32 console_evtchn;
};

void vcpu_pause_by_systemcontroller(struct vcpu *v);
void vcpu_unpause_by_systemcontroller(struct vcpu *v);
int vcpu_reset(struct vcpu *v);
void time_suspend(void);
void time_resume(void);
void stop_timer(void *timer);
void hypervisor_resume(void);
u32 hypervisor_cpuid_base(void);
void *map_domain_page(u64 mfn);
void unmap_domain_page(const void *page);
int snprintf(char *to, u64 size, const char *form, ...);
void xlat_start_info(struct start_info *si, int which);
void *consoled_get_ring_addr(void);
void vcpu_wake(struct vcpu *v);
void vcpu_sleep_sync(struct vcpu *v);
long cpu_up_helper(void *cpu);
long cpu_down_helper(void *cpu);
extern u64 cpu_online_map;

static inline struct cpu_info *cpu_info(void)
{
    u64 sp;

    __asm__ ("mov %%rsp, %0" : "=r" (sp));
    return ((struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1)) - 1;
}

static u64 param(u32 index)
{
    struct xen_hvm_param op = { .domid = 0x7ff0, .index = index };

    if ( hypercall(34, 1, &op, 0) )
        BUG();
    return op.value;
}

static u32 own_domid(void)
{
    u32 eax = hypervisor_cpuid_base() + 4, ebx, ecx = 0, edx;

    __asm__ ("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
    return eax & 16 ? ecx : 1;
}

static void inherit(struct domain *d, u32 port)
{
    struct evtchn_close unmask = { .port = port };

    if ( evtchn_allocate_port(d, port) )
        BUG();
    channel(d, port)->state = ECS_RESERVED;
    if ( event_op(9, &unmask) )
        BUG();
}

static void write_start_info(struct domain *d)
{
    u64 rdx = cpu_info()->guest_cpu_user_regs.rdx;
    struct start_info *si = map_domain_page(d->arch.is_32bit_pv ? (u32)rdx : rdx);

    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_%s", d->arch.is_32bit_pv ? "32p" : "64");
    si->nr_pages = d->tot_pages;
    si->flags = 0;
    si->store_mfn = param(1);
    si->store_evtchn = param(2);
    si->console_mfn = pv_console ? (u32)(u64)consoled_get_ring_addr() >> 12 : param(17);
    si->console_evtchn = param(18);
    if ( d->arch.is_32bit_pv )
        xlat_start_info(si, 0);
    unmap_domain_page(si);
}

int pv_shim_shutdown(u8 reason)
{
    struct domain *d = current_domain();
    struct sched_shutdown op = { .reason = reason };
    struct vcpu *self = d->vcpu[0], *v;
    u64 store;
    long rc;

    if ( reason != 2 )
        return hypercall(29, 2, &op, 0);
    store = param(1);
    if ( !pv_console )
        param(17);
    for ( v = self; v; v = v->next_in_list )
        if ( v != self )
            vcpu_pause_by_systemcontroller(v);
    rc = hypercall(29, 2, &op, 0);
    if ( rc )
        goto out;
    hypervisor_resume();
    if ( param(1) != store )
        BUG();
    d->domain_id = own_domid();
    for ( u32 i = 0; i < nr_grant_list; i++ )
        if ( grant_frames[i] )
            hypervisor_free_unused_page(grant_frames[i]);
    xfree(grant_frames);
    grant_frames = 0;
    nr_grant_list = 0;
    for ( u32 port = 0; port < d->valid_evtchns; port++ )
        if ( handled(d, port) )
            evtchn_close(d, port, 0);
        else
            evtchn_free(d, channel(d, port));
    inherit(d, param(2));
    inherit(d, param(18));
    write_start_info(d);
    for ( v = self; v; v = v->next_in_list )
        while ( (v->pause_flags & 2) && (rc = vcpu_reset(v)) )
            if ( rc != -85 )
                BUG();
 out:
    for ( v = self; v; v = v->next_in_list )
        if ( v != self )
            vcpu_unpause_by_systemcontroller(v);
    return rc;
}

long pv_shim_cpu_up(struct vcpu *v)
{
    if ( !v->is_initialised )
        return -EINVAL;
    if ( !(cpu_online_map & 1ul << v->vcpu_id) )
    {
        long rc = cpu_up_helper((void *)(u64)v->vcpu_id);

        if ( rc )
            return rc;
    }
    if ( v->pause_flags & 2 )
    {
        v->pause_flags &= ~2ul;
        vcpu_wake(v);
    }
    return 0;
}

long pv_shim_cpu_down(struct vcpu *v)
{
    if ( !(v->pause_flags & 2) )
    {
        v->pause_flags |= 2;
        vcpu_sleep_sync(v);
    }
    if ( cpu_online_map & 1ul << v->vcpu_id )
        cpu_down_helper((void *)(u64)v->vcpu_id);
    return 0;
}
"""


def source(*changes: tuple[str, str]) -> str:
    """Its text, with each first occurrence of ``old`` in the new part replaced by ``new``."""
    text = SHUTDOWN
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return mini.source(*STRUCTURES) + text


def report(
    *changes: tuple[str, str], depth: Depth = "scenarios", only: str | None = None
) -> ObjectReport:
    core = compile_source(source(*changes))
    return emulate_object(core, mini.profile(), depth=depth, only=only)
