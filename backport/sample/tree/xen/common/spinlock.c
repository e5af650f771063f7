/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/lib.h>
#include <xen/spinlock.h>
#include <asm/current.h>

void _spin_lock(spinlock_t *lock)
{
    while ( __atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) )
        asm volatile ( "pause" );
    lock->owner = smp_processor_id();
}

void _spin_unlock(spinlock_t *lock)
{
    lock->owner = ~0u;
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

bool _spin_is_locked(const spinlock_t *lock)
{
    return lock->taken && lock->owner == smp_processor_id();
}
