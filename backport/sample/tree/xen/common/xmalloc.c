/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First fit over a fixed pool; neighbours that are free are joined on the way. */
#include <xen/lib.h>
#include <xen/spinlock.h>
#include <xen/xmalloc.h>

#define POOL_SIZE 0x40000
#define UNIT 64

struct block {
    size_t size; /* with this header */
    bool used;
} __attribute__((aligned(UNIT)));

static char pool[POOL_SIZE] __attribute__((aligned(UNIT)));
static DEFINE_SPINLOCK(pool_lock);

#define pool_end ((struct block *)(pool + POOL_SIZE))

static struct block *after(struct block *b)
{
    return (struct block *)((char *)b + b->size);
}

void *_xzalloc(unsigned long size, unsigned long align)
{
    struct block *b = (struct block *)pool;
    void *p = NULL;

    if ( align > UNIT )
        return NULL;
    size = ROUNDUP(size, UNIT) + sizeof(*b);

    spin_lock(&pool_lock);
    if ( !b->size )
        b->size = POOL_SIZE;
    for ( ; b < pool_end; b = after(b) )
    {
        if ( b->used )
            continue;
        while ( after(b) < pool_end && !after(b)->used )
            b->size += after(b)->size;
        if ( b->size < size )
            continue;
        if ( b->size > size )
        {
            struct block *rest = (struct block *)((char *)b + size);

            rest->size = b->size - size;
            rest->used = false;
            b->size = size;
        }
        b->used = true;
        p = memset(b + 1, 0, size - sizeof(*b));
        break;
    }
    spin_unlock(&pool_lock);

    return p;
}

void xfree(void *p)
{
    if ( !p )
        return;

    spin_lock(&pool_lock);
    ((struct block *)p - 1)->used = false;
    spin_unlock(&pool_lock);
}
