/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/lib.h>
#include <xen/mm.h>
#include <asm/setup.h>

unsigned long max_page;
static paddr_t next_page, end_page;

extern char _end[];

/* RAM from behind the image to the end of what the loader reported. */
void memory_init(void)
{
    next_page = ROUNDUP(virt_to_maddr(_end), 0x100000UL);
    end_page = boot_mem_end & PAGE_MASK;
    max_page = end_page >> PAGE_SHIFT;
    if ( end_page <= next_page )
        panic("Not enough memory: it ends at %#lx\n", (long)end_page);
}

/* What the loader left lies low; allocate from the top down. */
void *alloc_xenheap_page(void)
{
    if ( end_page - PAGE_SIZE < next_page )
        return NULL;
    end_page -= PAGE_SIZE;

    return memset(maddr_to_virt(end_page), 0, PAGE_SIZE);
}

void map_page(uint64_t *l4, unsigned long va, paddr_t pa, unsigned int flags)
{
    uint64_t *table = l4;
    unsigned int level;

    for ( level = 4; level > 1; level-- )
    {
        uint64_t *e = &table[pgtable_index(va, level)];

        if ( !(*e & _PAGE_PRESENT) )
        {
            void *p = alloc_xenheap_page();

            if ( !p )
                panic("Out of memory for page tables\n");
            *e = virt_to_maddr(p) | PAGE_GUEST;
        }
        table = maddr_to_virt(*e & PADDR_MASK);
    }

    table[pgtable_index(va, 1)] = pa | flags;
}
