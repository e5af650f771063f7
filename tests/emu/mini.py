# SPDX-License-Identifier: GPL-2.0-or-later
"""A miniature translation core of our own, and ways to break it.

It has the names of the built-in profile and handles a few operations correctly.  A test replaces one
piece of its text and looks for the one invariant that this breaks.
"""

from __future__ import annotations

from importlib import resources

from emu.findings.verdict import Finding, ObjectReport, Outcome, ScenarioResult
from emu.object import Depth, emulate_object
from emu.profile import Profile, load_profile
from tests.emu.build import compile_source

CORE = r"""
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int bool;

#pragma GCC visibility push(hidden)

typedef struct { u32 ticket; } spinlock_t;

struct evtchn { u32 port; u8 state; u16 notify_vcpu_id; };
struct arch_domain { u8 is_32bit_pv; u32 hv_compat_vstart; };
struct domain {
    u16 domain_id;
    spinlock_t event_lock;
    u32 max_vcpus, max_evtchns, max_evtchn_port, valid_evtchns;
    struct vcpu **vcpu;
    struct evtchn *evtchn;
    struct evtchn **evtchn_group[4];
    struct arch_domain arch;
};
struct vcpu { u32 vcpu_id; struct domain *domain; };
struct cpu_info { u64 regs[16]; u32 processor_id; struct vcpu *current_vcpu; };

struct evtchn_alloc_unbound { u16 dom, remote_dom; u32 port; };
struct evtchn_close { u32 port; };
struct evtchn_status { u16 dom; u32 port, status, vcpu; u64 u; };
struct evtchn_bind_vcpu { u32 port, vcpu; };
struct evtchn_send { u32 port; };
struct gnttab_setup_table { u16 dom; u32 nr_frames; short status; u64 *frame_list; };
struct gnttab_query_size { u16 dom; u32 nr_frames, max_nr_frames; short status; };
struct xen_add_to_physmap { u16 domid, size; u32 space; u64 idx, gpfn; };

struct shared_info { u64 vcpu_info[256], evtchn_pending[64], evtchn_mask[64]; };

enum { ECS_FREE, ECS_RESERVED, ECS_VIRQ = 5 };
enum fixed { FIX_HOLE, FIX_XEN_SHARED_INFO };

u32 copy_from_user(void *to, const void *from, u32 size);
u32 __copy_to_user_ll(void *to, const void *from, u32 size);
void _spin_lock(spinlock_t *lock);
void _spin_unlock(spinlock_t *lock);
int evtchn_allocate_port(struct domain *d, u32 port);
void evtchn_free(struct domain *d, struct evtchn *chn);
int evtchn_close(struct domain *d, int port, bool guest);
int evtchn_status(struct evtchn_status *status);
long evtchn_bind_vcpu(u32 port, u32 vcpu);
void *_xzalloc(u64 size, u64 align);
void xfree(void *block);
int hypervisor_alloc_unused_page(u64 *mfn);
int hypervisor_free_unused_page(u64 mfn);
extern bool pv_console;
u32 pv_console_evtchn(void);
long consoled_guest_rx(void);

#define BUG() __asm__ volatile ("ud2")
#define EFAULT 14
#define EINVAL 22
#define ENOMEM 12
#define EOPNOTSUPP 95
#define STACK_SIZE 0x8000ul
#define shared ((struct shared_info *)(0xffff82cffffff000ul - (FIX_XEN_SHARED_INFO << 12)))

static inline long hypercall(u32 nr, u64 a, const volatile void *b, u64 c)
{
    register u64 ret __asm__("rax") = nr * 32;

    __asm__ volatile (
        "lea hypercall_page(%%rip), %%rcx\n\t"
        "add %%rcx, %%rax\n\t"
        "call *%%rax"
        : "+r" (ret), "+D" (a), "+S" (b), "+d" (c)
        : : "rcx", "r8", "r9", "r10", "r11", "memory");
    return ret;
}
#define event_op(cmd, arg) hypercall(32, cmd, arg, 0)
#define memory_op(cmd, arg) hypercall(12, cmd, arg, 0)
#define grant_op(cmd, arg) hypercall(20, cmd, arg, 1)

static inline struct domain *current_domain(void)
{
    u64 sp;

    __asm__ ("mov %%rsp, %0" : "=r" (sp));
    return (((struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1)) - 1)->current_vcpu->domain;
}

static inline struct evtchn *channel(struct domain *d, u32 port)
{
    u32 per_bucket = 4096 / sizeof(struct evtchn) + 1;

    while ( per_bucket & (per_bucket - 1) )
        per_bucket &= per_bucket - 1;
    return &d->evtchn_group[0][port / per_bucket][port % per_bucket];
}

static inline bool handled(struct domain *d, u32 port)
{
    return port < d->valid_evtchns && channel(d, port)->state == ECS_VIRQ;
}

/* Direct write to the guest: -EFAULT through the exception table. */
static inline int put_guest(u64 value, u64 *to)
{
    int rc = 0;

    __asm__ volatile (
        "1: stac\n\t"
        "2: movq %[value], (%[to])\n\t"
        "3: clac\n\t"
        ".section .fixup, \"ax\"\n\t"
        "4: mov $-14, %[rc]\n\t"
        "   jmp 3b\n\t"
        ".previous\n\t"
        ".section .ex_table, \"a\"\n\t"
        ".long 2b - ., 4b - .\n\t"
        ".previous"
        : [rc] "+r" (rc) : [value] "r" (value), [to] "r" (to) : "memory");
    return rc;
}

static bool bad_range(const void *p, u64 size)
{
    return ((u64)p + size > 0x800000000000ul && (u64)p < 0xffff880000000000ul) ||
           (u64)p + size < (u64)p;
}

static long give_back(u32 port, long rc)
{
    struct evtchn_close close = { .port = port };

    if ( event_op(3, &close) )
        BUG();
    return rc;
}

long pv_shim_event_channel_op(int cmd, void *arg)
{
    struct domain *d = current_domain();
    long rc;

    switch ( cmd )
    {
    case 6: {
        struct evtchn_alloc_unbound op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        rc = event_op(6, &op);
        if ( rc )
            return rc;
        _spin_lock(&d->event_lock);
        rc = evtchn_allocate_port(d, op.port);
        if ( !rc )
            channel(d, op.port)->state = ECS_RESERVED;
        _spin_unlock(&d->event_lock);
        if ( rc )
            return give_back(op.port, rc);
        if ( __copy_to_user_ll(arg, &op, sizeof(op)) )
        {
            _spin_lock(&d->event_lock);
            evtchn_free(d, channel(d, op.port));
            _spin_unlock(&d->event_lock);
            return give_back(op.port, -EFAULT);
        }
        return 0;
    }
    case 3: {
        struct evtchn_close op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        if ( op.port >= d->valid_evtchns )
            return -EINVAL;
        if ( handled(d, op.port) )
        {
            rc = evtchn_close(d, op.port, 1);
            return rc ? rc : event_op(3, &op);
        }
        shared->evtchn_mask[op.port / 64] |= 1ul << op.port % 64;
        rc = event_op(3, &op);
        if ( rc )
            return rc;
        _spin_lock(&d->event_lock);
        evtchn_free(d, channel(d, op.port));
        _spin_unlock(&d->event_lock);
        return 0;
    }
    case 5: {
        struct evtchn_status op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        rc = handled(d, op.port) ? evtchn_status(&op) : event_op(5, &op);
        if ( !rc && __copy_to_user_ll(arg, &op, sizeof(op)) )
            rc = -EFAULT;
        return rc;
    }
    case 8: {
        struct evtchn_bind_vcpu op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        if ( op.port >= d->valid_evtchns )
            return -EINVAL;
        if ( handled(d, op.port) )
            return evtchn_bind_vcpu(op.port, op.vcpu);
        rc = event_op(8, &op);
        if ( !rc )
            channel(d, op.port)->notify_vcpu_id = op.vcpu;
        return rc;
    }
    case 4: {
        struct evtchn_send op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        if ( pv_console && op.port == pv_console_evtchn() )
            return consoled_guest_rx(), 0;
        return event_op(4, &op);
    }
    default:
        return -EOPNOTSUPP;
    }
}

static spinlock_t grant_lock;
static u64 *grant_frames;
static u32 nr_grant_list;

static long frames_known(void)
{
    struct gnttab_query_size size = { .dom = 0x7ff0 };
    long rc;

    if ( nr_grant_list )
        return 0;
    rc = grant_op(6, &size);
    if ( rc )
        return rc;
    grant_frames = _xzalloc(size.max_nr_frames * sizeof(u64), sizeof(u64));
    if ( !grant_frames )
        return -ENOMEM;
    nr_grant_list = size.max_nr_frames;
    return 0;
}

static long map_frame(u32 i)
{
    struct xen_add_to_physmap xatp = { .domid = 0x7ff0, .space = 1, .idx = i };
    long rc;

    if ( grant_frames[i] )
        return 0;
    rc = hypervisor_alloc_unused_page(&xatp.gpfn);
    if ( rc )
        return rc;
    rc = memory_op(7, &xatp);
    if ( rc )
    {
        hypervisor_free_unused_page(xatp.gpfn);
        return rc;
    }
    grant_frames[i] = xatp.gpfn;
    return 0;
}

long pv_shim_grant_table_op(u32 cmd, void *arg, u32 count)
{
    long rc;

    if ( current_domain()->arch.is_32bit_pv )
        return -EOPNOTSUPP;
    if ( count != 1 )
        return -EINVAL;
    if ( cmd == 6 )
    {
        struct gnttab_query_size op;

        if ( copy_from_user(&op, arg, sizeof(op)) )
            return -EFAULT;
        rc = grant_op(6, &op);
        if ( !rc && __copy_to_user_ll(arg, &op, sizeof(op)) )
            rc = -EFAULT;
        return rc;
    }
    if ( cmd == 2 )
    {
        struct gnttab_setup_table op;
        u32 i;

        if ( copy_from_user(&op, arg, sizeof(op)) ||
             bad_range(op.frame_list, op.nr_frames * 8ul) )
            return -EFAULT;
        op.status = 0;
        _spin_lock(&grant_lock);
        rc = frames_known();
        if ( !rc && op.nr_frames > nr_grant_list )
            rc = -EINVAL;
        for ( i = 0; !rc && i < op.nr_frames; i++ )
        {
            rc = map_frame(i);
            if ( !rc )
                rc = put_guest(grant_frames[i], &op.frame_list[i]);
        }
        _spin_unlock(&grant_lock);
        if ( rc )
            op.status = -1;
        if ( __copy_to_user_ll(arg, &op, sizeof(op)) )
            rc = -EFAULT;
        return rc;
    }
    return -EOPNOTSUPP;
}
"""


def profile() -> Profile:
    return load_profile("xen-pv-shim-4.10")


def profile_text() -> str:
    return resources.files("emu").joinpath("profiles", "xen-pv-shim-4.10.toml").read_text()


def source(*changes: tuple[str, str]) -> str:
    """The core's text with each first occurrence of ``old`` replaced by ``new``."""
    text = CORE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def core(*changes: tuple[str, str]) -> bytes:
    """The core's object, changed as `source` says."""
    return compile_source(source(*changes))


def report(
    *changes: tuple[str, str], depth: Depth = "scenarios", only: str | None = None
) -> ObjectReport:
    return emulate_object(core(*changes), profile(), depth=depth, only=only)


def result(report: ObjectReport, name: str, mode: str = "64") -> ScenarioResult:
    return next(r for r in report.results if r.scenario == name and r.mode == mode)


def findings(report: ObjectReport, invariant: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.invariant == invariant]


def handled(report: ObjectReport) -> set[str]:
    """Operations of which at least one scenario passed."""
    return {r.operation for r in report.results if r.outcome is Outcome.PASSED}
