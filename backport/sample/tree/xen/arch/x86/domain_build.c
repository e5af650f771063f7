/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Build the one guest: its ELF image, its page tables, its first registers. */
#include <xen/errno.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/xmalloc.h>
#include <public/elfnote.h>
#include <asm/processor.h>
#include <asm/setup.h>

#define PT_LOAD 1
#define PT_NOTE 4

#define GUEST_SLACK_PAGES 256
#define MAX_GUEST_PAGES   8192

/* One program header of either class. */
struct segment {
    uint32_t type;
    uint64_t offset, vaddr, filesz, memsz;
};

struct kernel {
    const char *image;
    size_t size;
    bool is64;
    uint64_t virt_base, entry, hypercall_page, hv_start_low;
    uint64_t vstart, vend;
};

struct build {
    struct domain *d;
    uint64_t *l4;
    unsigned long base, nr_pages, next;
    unsigned long *p2m;
};

static uint64_t field(const struct kernel *k, size_t off, unsigned int n)
{
    uint64_t v = 0;

    if ( n <= k->size && off <= k->size - n )
        memcpy(&v, k->image + off, n);

    return v;
}

static bool get_segment(const struct kernel *k, unsigned int i,
                        struct segment *s)
{
    uint64_t at;

    if ( k->is64 )
    {
        if ( i >= field(k, 56, 2) )
            return false;
        at = field(k, 32, 8) + i * field(k, 54, 2);
        s->type = field(k, at, 4);
        s->offset = field(k, at + 8, 8);
        s->vaddr = field(k, at + 16, 8);
        s->filesz = field(k, at + 32, 8);
        s->memsz = field(k, at + 40, 8);
    }
    else
    {
        if ( i >= field(k, 44, 2) )
            return false;
        at = field(k, 28, 4) + i * field(k, 42, 2);
        s->type = field(k, at, 4);
        s->offset = field(k, at + 4, 4);
        s->vaddr = field(k, at + 8, 4);
        s->filesz = field(k, at + 16, 4);
        s->memsz = field(k, at + 20, 4);
    }

    return true;
}

static void parse_notes(struct kernel *k, const struct segment *s)
{
    uint64_t at = s->offset, end = s->offset + s->filesz;
    unsigned int word = k->is64 ? 8 : 4;

    while ( at + 12 <= end && end <= k->size )
    {
        uint32_t namesz = field(k, at, 4), descsz = field(k, at + 4, 4);
        uint64_t name = at + 12, desc = name + ROUNDUP((uint64_t)namesz, 4);
        uint64_t value = field(k, desc, min(descsz, word));

        if ( namesz == 4 && field(k, name, 4) == 0x006e6558 /* "Xen" */ )
            switch ( field(k, at + 8, 4) )
            {
            case XEN_ELFNOTE_ENTRY:          k->entry = value; break;
            case XEN_ELFNOTE_HYPERCALL_PAGE: k->hypercall_page = value; break;
            case XEN_ELFNOTE_VIRT_BASE:      k->virt_base = value; break;
            case XEN_ELFNOTE_HV_START_LOW:   k->hv_start_low = value; break;
            }
        at = desc + ROUNDUP((uint64_t)descsz, 4);
    }
}

static int parse_kernel(struct kernel *k)
{
    struct segment s;
    unsigned int i;

    if ( field(k, 0, 4) != 0x464c457f )
        return -EINVAL;
    k->is64 = field(k, 4, 1) == 2;
    k->vstart = ~0UL;

    for ( i = 0; get_segment(k, i, &s); i++ )
    {
        if ( s.offset > k->size || s.filesz > k->size - s.offset ||
             s.filesz > s.memsz || s.vaddr + s.memsz < s.vaddr )
            return -EINVAL;
        if ( s.type == PT_NOTE )
            parse_notes(k, &s);
        if ( s.type == PT_LOAD )
        {
            k->vstart = min(k->vstart, s.vaddr);
            k->vend = k->vend > s.vaddr + s.memsz ? k->vend : s.vaddr + s.memsz;
        }
    }

    if ( !k->virt_base || k->vstart < k->virt_base || !k->vend || !k->entry ||
         k->vend - k->virt_base > MAX_GUEST_PAGES << PAGE_SHIFT )
        return -EINVAL;

    return 0;
}

static void *guest_page(const struct build *b, unsigned long va)
{
    unsigned long pfn = (va - b->base) >> PAGE_SHIFT;

    if ( va < b->base || pfn >= b->nr_pages )
        panic("%#lx lies outside the guest\n", va);

    return (char *)mfn_to_virt(b->p2m[pfn]) + (va & ~PAGE_MASK);
}

static void guest_write(const struct build *b, unsigned long va,
                        const void *from, size_t n)
{
    const char *p = from;

    while ( n )
    {
        size_t chunk = min(n, PAGE_SIZE - (va & ~PAGE_MASK));

        memcpy(guest_page(b, va), p, chunk);
        va += chunk;
        p += chunk;
        n -= chunk;
    }
}

static unsigned long guest_alloc(struct build *b, size_t n)
{
    unsigned long va = b->next;

    b->next = va + ROUNDUP(n, PAGE_SIZE);

    return va;
}

static int populate(struct build *b)
{
    unsigned long i;

    b->p2m = xzalloc_array(unsigned long, b->nr_pages);
    b->l4 = alloc_xenheap_page();
    if ( !b->p2m || !b->l4 )
        return -ENOMEM;

    /* The slots that belong to us, in every address space. */
    memcpy(&b->l4[256], &idle_pg_table[256], 16 * sizeof(*b->l4));
    for ( i = 0; i < b->nr_pages; i++ )
    {
        void *p = alloc_xenheap_page();

        if ( !p )
            return -ENOMEM;
        b->p2m[i] = virt_to_mfn(p);
        map_page(b->l4, b->base + (i << PAGE_SHIFT), virt_to_maddr(p),
                 PAGE_GUEST);
    }

    return 0;
}

/* Entry nr of the guest's hypercall page: keep rcx and r11, which syscall
   overwrites. */
static void fill_hypercall_page(char *page, bool is64)
{
    static const char native[] = "\x51\x41\x53\xb8\0\0\0\0\x0f\x05\x41\x5b\x59\xc3";
    static const char compat[] = "\xb8\0\0\0\0\xcd\x82\xc3";
    unsigned int nr;

    for ( nr = 0; nr < PAGE_SIZE / 32; nr++, page += 32 )
    {
        memset(page, 0xcc, 32);
        if ( is64 )
            memcpy(page, native, sizeof(native) - 1);
        else
            memcpy(page, compat, sizeof(compat) - 1);
        page[is64 ? 4 : 1] = nr;
    }
}

#ifdef CONFIG_COMPAT
extern uint64_t gdt[], guest_is_compat;

static void set_compat(struct domain *d, uint64_t hv_start_low)
{
    d->arch.is_32bit_pv = true;
    d->arch.hv_compat_vstart = hv_start_low ?: HYPERVISOR_COMPAT_VIRT_START;
    guest_is_compat = 1;

    gdt[3] = 0x00cfbb000000ffff; /* e019: ring 1, 32-bit code */
    gdt[4] = 0x00cfb3000000ffff; /* e021: ring 1, data */
    gdt[5] = 0x00cffb000000ffff; /* e02b: ring 3, 32-bit code */
    gdt[6] = 0x00cff3000000ffff; /* e033: ring 3, data */
    asm volatile ( "mov %0, %%ds; mov %0, %%es" :: "r" (FLAT_RING1_DS) );
}

static void xlat_start_info(struct compat_start_info *c,
                            const struct start_info *si)
{
    memset(c, 0, sizeof(*c));
    memcpy(c->magic, si->magic, sizeof(c->magic));
    c->nr_pages = si->nr_pages;
    c->shared_info = si->shared_info;
    c->flags = si->flags;
    c->store_mfn = si->store_mfn;
    c->store_evtchn = si->store_evtchn;
    c->console.mfn = si->console.mfn;
    c->console.evtchn = si->console.evtchn;
    c->mfn_list = si->mfn_list;
    memcpy(c->cmd_line, si->cmd_line, sizeof(c->cmd_line));
}
#endif

static unsigned long write_p2m(struct build *b, bool is64)
{
    unsigned int word = is64 ? 8 : 4;
    unsigned long va = guest_alloc(b, b->nr_pages * word), i;

    for ( i = 0; i < b->nr_pages; i++ )
        guest_write(b, va + i * word, &b->p2m[i], word);

    return va;
}

int dom0_construct_pv(struct domain *d, const void *image, size_t size,
                      const char *cmdline, struct cpu_user_regs *regs)
{
    static struct start_info si;
    struct kernel k = { .image = image, .size = size };
    struct build b = { .d = d };
    struct segment s;
    unsigned long va, stack;
    unsigned int i;
    int rc = parse_kernel(&k);

    if ( rc )
        return rc;
#ifdef CONFIG_COMPAT
    if ( !k.is64 )
        set_compat(d, k.hv_start_low);
#else
    if ( !k.is64 )
        return -EOPNOTSUPP;
#endif

    b.base = k.virt_base;
    b.next = ROUNDUP(k.vend, PAGE_SIZE);
    b.nr_pages = ((b.next - b.base) >> PAGE_SHIFT) + GUEST_SLACK_PAGES;
    rc = populate(&b);
    if ( rc )
        return rc;

    for ( i = 0; get_segment(&k, i, &s); i++ )
        if ( s.type == PT_LOAD )
            guest_write(&b, s.vaddr, k.image + s.offset, s.filesz);
    if ( k.hypercall_page )
        fill_hypercall_page(guest_page(&b, k.hypercall_page & PAGE_MASK), k.is64);

    memcpy(si.magic, k.is64 ? "xen-3.0-x86_64" : "xen-3.0-x86_32p", 16);
    si.nr_pages = b.nr_pages;
    si.shared_info = virt_to_maddr(d->shared_info);
    for ( i = 0; cmdline && cmdline[i] && i < sizeof(si.cmd_line) - 1; i++ )
        si.cmd_line[i] = cmdline[i];
    si.mfn_list = write_p2m(&b, k.is64);

    va = guest_alloc(&b, sizeof(si));
#ifdef CONFIG_COMPAT
    if ( !k.is64 )
    {
        struct compat_start_info c;

        xlat_start_info(&c, &si);
        guest_write(&b, va, &c, sizeof(c));
    }
    else
#endif
        guest_write(&b, va, &si, sizeof(si));
    stack = guest_alloc(&b, PAGE_SIZE) + PAGE_SIZE;

    memset(regs, 0, sizeof(*regs));
    regs->rip = k.entry;
    regs->rsp = stack;
    regs->rsi = va;
    regs->rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS;
    regs->cs = k.is64 ? FLAT_RING3_CS64 : FLAT_RING1_CS;
    regs->ss = k.is64 ? FLAT_RING3_SS64 : FLAT_RING1_DS;
    d->arch.cr3 = virt_to_maddr(b.l4);
    printk(XENLOG_INFO "guest: %s, %lu pages, entry %#lx\n",
           k.is64 ? "64-bit" : "32-bit", b.nr_pages, (long)k.entry);

    return 0;
}
