/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/lib.h>
#include <asm/current.h>
#include <asm/processor.h>
#include <asm/setup.h>
#include <asm/uaccess.h>

#define TRAP_invalid_op    6
#define TRAP_double_fault  8
#define TRAP_page_fault   14
#define HYPERCALL_VECTOR  0x82

struct idt_entry {
    uint16_t off0;
    uint16_t sel;
    uint8_t ist;
    uint8_t type;
    uint16_t off1;
    uint32_t off2;
    uint32_t zero;
} __attribute__((packed));

struct tss {
    uint32_t zero0;
    uint64_t rsp0, rsp1, rsp2;
    uint64_t zero1;
    uint64_t ist[7];
    uint64_t zero2;
    uint16_t zero3;
    uint16_t bitmap;
} __attribute__((packed));

static struct idt_entry idt_table[256] __attribute__((aligned(16)));
static struct tss init_tss __attribute__((aligned(16)));
static char double_fault_stack[4096] __attribute__((aligned(16)));

extern uint64_t gdt[];
extern unsigned long init_rsp;
extern const char exception_stubs[];
#ifdef CONFIG_COMPAT
extern const char entry_int82[];
#endif
extern const char lstar_enter[];
extern const struct bug_frame __start_bug_frames[], __stop_bug_frames[];

static void set_gate(unsigned int vec, const void *fn, unsigned int dpl,
                     unsigned int ist)
{
    unsigned long a = (unsigned long)fn;

    idt_table[vec] = (struct idt_entry){
        .off0 = a, .off1 = a >> 16, .off2 = a >> 32,
        .sel = __HYPERVISOR_CS, .ist = ist, .type = 0x8e | dpl << 5,
    };
}

void trap_init(void)
{
    struct {
        uint16_t limit;
        void *base;
    } __attribute__((packed)) idtr = { sizeof(idt_table) - 1, idt_table };
    unsigned long tss = (unsigned long)&init_tss;
    unsigned int i;

    for ( i = 0; i < 32; i++ )
        set_gate(i, exception_stubs + i * 16, 0, i == TRAP_double_fault);
#ifdef CONFIG_COMPAT
    set_gate(HYPERCALL_VECTOR, entry_int82, 1, 0);
#endif

    init_tss.rsp0 = (unsigned long)&get_cpu_info()->guest_cpu_user_regs +
                    sizeof(struct cpu_user_regs);
    init_rsp = init_tss.rsp0;
    init_tss.ist[0] = (unsigned long)double_fault_stack +
                      sizeof(double_fault_stack);
    init_tss.bitmap = sizeof(init_tss);
    gdt[8] = (sizeof(init_tss) - 1) | (tss & 0xffffff) << 16 | 0x89UL << 40 |
             (tss >> 24 & 0xff) << 56;
    gdt[9] = tss >> 32;

    asm volatile ( "lidt %0; ltr %w1"
                   :: "m" (idtr), "r" (TSS_SELECTOR) : "memory" );

    wrmsrl(MSR_EFER, rdmsrl(MSR_EFER) | EFER_SCE);
    wrmsrl(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 |
                     (uint64_t)__HYPERVISOR_CS << 32);
    wrmsrl(MSR_LSTAR, (unsigned long)lstar_enter);
    wrmsrl(MSR_FMASK, ~X86_EFLAGS_MBS & 0xffffffffUL);
}

static void report_bug(unsigned long rip)
{
    const struct bug_frame *b;

    for ( b = __start_bug_frames; b < __stop_bug_frames; b++ )
        if ( (unsigned long)bug_loc(b) == rip )
            panic("BUG at %s:%u\n", bug_file(b), bug_line(b));
}

void do_trap(struct cpu_user_regs *regs)
{
    unsigned long fixup;

    if ( regs->cs & 3 )
        panic("guest trap %u at %#lx, error %#x, cr2 %#lx\n",
              regs->entry_vector, (long)regs->rip, regs->error_code,
              read_cr2());

    fixup = search_exception_table(regs->rip);
    if ( fixup )
    {
        regs->rip = fixup;
        return;
    }
    if ( regs->entry_vector == TRAP_invalid_op )
        report_bug(regs->rip);

    panic("trap %u at %#lx, error %#x, cr2 %#lx\n", regs->entry_vector,
          (long)regs->rip, regs->error_code, read_cr2());
}
