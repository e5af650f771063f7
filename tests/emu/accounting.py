# SPDX-License-Identifier: GPL-2.0-or-later
"""The sample tree, and what public vcpu.h has besides: runstates, and memory of the guest's for each vcpu."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from backport.sample.write import write_sample
from tests.backport.sample_repo import build, take_series

SCHEDULE = "xen/common/schedule.c"
ACCOUNTS = r"""
#define MAX_VCPUS 32
enum { RUNNING, RUNNABLE, BLOCKED, OFFLINE };

struct runstate {
    int state;
    uint64_t entered, time[4];
};
struct compat_runstate {
    int state;
    uint64_t entered, time[4];
} __attribute__((packed, aligned(4)));

static struct runstate runstates[MAX_VCPUS] = { [1 ... MAX_VCPUS - 1] = { .state = OFFLINE } };
static void *areas[MAX_VCPUS], *copies[MAX_VCPUS];
static bool named[MAX_VCPUS];

static void change(struct vcpu *v, int state)
{
    struct runstate *r = &runstates[v->vcpu_id];
    uint64_t now = xen_time();

    r->time[r->state] += now - r->entered;
    r->entered = now;
    r->state = state;
}

static long put_runstate(const struct vcpu *v, void *to, const struct runstate *r)
{
    struct compat_runstate cmp;
    unsigned int i;

    if ( !is_pv_32bit_domain(v->domain) )
        return __copy_to_user_ll(to, r, sizeof(*r)) ? -EFAULT : 0;
    cmp.state = r->state;
    cmp.entered = r->entered;
    for ( i = 0; i < 4; i++ )
        cmp.time[i] = r->time[i];
    return __copy_to_user_ll(to, &cmp, sizeof(cmp)) ? -EFAULT : 0;
}

static void update_areas(const struct vcpu *v)
{
    if ( areas[v->vcpu_id] )
        put_runstate(v, areas[v->vcpu_id], &runstates[v->vcpu_id]);
    if ( copies[v->vcpu_id] )
        __copy_to_user_ll(copies[v->vcpu_id], &v->vcpu_info->time, 32);
}

static long move_vcpu_info(struct vcpu *v, const struct vcpu_register_vcpu_info *info)
{
    struct vcpu_info *new = mfn_to_virt(info->mfn) + info->offset;

    if ( named[v->vcpu_id] || info->offset > PAGE_SIZE - sizeof(*new) )
        return -EINVAL;
    named[v->vcpu_id] = true;
    *new = *v->vcpu_info;
    v->vcpu_info = new;
    new->evtchn_upcall_pending = 1;
    new->evtchn_pending_sel = ~0ul;
    return 0;
}

long vcpu_account(int cmd, struct vcpu *v, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct runstate r = runstates[v->vcpu_id];
    struct vcpu_register_vcpu_info info = {};

    switch ( cmd )
    {
    case 4:
        r.time[r.state] += xen_time() - r.entered;
        return put_runstate(v, arg.p, &r);

    case 5:
    case 13:
        if ( copy_from_user(&info, arg.p, 8) )
            return -EFAULT;
        if ( is_pv_32bit_domain(v->domain) )
            info.mfn = (uint32_t)info.mfn;
        *(cmd == 5 ? &areas[v->vcpu_id] : &copies[v->vcpu_id]) = (void *)info.mfn;
        update_areas(v);
        return 0;

    case VCPUOP_register_vcpu_info:
        if ( copy_from_user(&info, arg.p, sizeof(info)) )
            return -EFAULT;
        return move_vcpu_info(v, &info);
    }

    return -ENOSYS;
}
"""
HOOKS = (
    ("    info->evtchn_upcall_mask = 0;\n", "    change(current, BLOCKED);\n"),
    ("        idle();\n", "    change(current, RUNNING);\n    update_areas(current);\n"),
    ("void vcpu_wake(struct vcpu *v)\n{\n", "    change(v, RUNNING);\n"),
    ("void vcpu_sleep_sync(struct vcpu *v)\n{\n", "    change(v, OFFLINE);\n"),
)
"""Behind which line of the sample's own something is accounted."""


@cache
def _tree() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """Built once a session."""
    scratch = tempfile.TemporaryDirectory()
    sample = write_sample(Path(scratch.name) / "sample")
    take_series(sample, sample.series)
    kernel = sample.directory / "xen/common/kernel.c"
    text = kernel.read_text()
    refused = "    return -ENOSYS;\n}\n"
    head, call, last = text.rpartition(refused)
    assert call and not last
    declared = "long vcpu_account(int cmd, struct vcpu *v, XEN_GUEST_HANDLE_PARAM(void) arg);\n\n"
    head = head.replace("long do_vcpu_op(", declared + "long do_vcpu_op(")
    kernel.write_text(head + "    return vcpu_account(cmd, v, arg);\n}\n")
    schedule = sample.directory / SCHEDULE
    text = schedule.read_text()
    for behind, more in HOOKS:
        assert text.count(behind) >= 1, behind
        text = text.replace(behind, behind + more, 1)
    first = "/* Of the two times"
    assert first in text
    schedule.write_text(text.replace(first, ACCOUNTS + "\n" + first))
    return scratch, sample.directory


def accounting_image(changes: Sequence[tuple[str, str]] = ()) -> bytes:
    """The image, with each ``old`` in its accounts replaced by ``new``."""
    _, tree = _tree()
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "sample"
        shutil.copytree(tree, copy)
        text = (copy / SCHEDULE).read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        (copy / SCHEDULE).write_text(text)
        done = build(copy)
        assert done.returncode == 0, done.stderr
        return (copy / "xen/xen-syms").read_bytes()
