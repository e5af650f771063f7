/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_SPINLOCK_H
#define XEN_SPINLOCK_H

#include <xen/types.h>

typedef struct spinlock {
    uint32_t taken;
    uint32_t owner;
} spinlock_t;

#define SPIN_LOCK_UNLOCKED { 0, ~0u }
#define DEFINE_SPINLOCK(l) spinlock_t l = SPIN_LOCK_UNLOCKED

void _spin_lock(spinlock_t *lock);
void _spin_unlock(spinlock_t *lock);
bool _spin_is_locked(const spinlock_t *lock);

#define spin_lock(l) _spin_lock(l)
#define spin_unlock(l) _spin_unlock(l)
#define spin_is_locked(l) _spin_is_locked(l)

static inline void spin_lock_init(spinlock_t *lock)
{
    *lock = (spinlock_t)SPIN_LOCK_UNLOCKED;
}

#endif /* XEN_SPINLOCK_H */
