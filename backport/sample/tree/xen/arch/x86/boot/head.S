/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from the loader's 32-bit protected mode, paging off, to 64-bit C.
 * Linked at virtual addresses and run at physical ones: every symbol used here
 * goes through sym_phys().
 */
#include <asm/config.h>
#include <asm/page.h>

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_HEADER_FLAGS 0x00000003

        .section .text.head, "ax", @progbits
        .code32

        .globl  start
start:
        jmp     multiboot_start

        .balign 4
multiboot_header:
        .long   MULTIBOOT_HEADER_MAGIC
        .long   MULTIBOOT_HEADER_FLAGS
        .long   -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_HEADER_FLAGS)

multiboot_start:
        cld
        cli
        mov     $sym_phys(boot_stack_top), %esp
        /* Clear the BSS; the stack lies in it and is empty. */
        mov     $sym_phys(__bss_start), %edi
        mov     $sym_phys(__bss_end), %ecx
        sub     %edi, %ecx
        xor     %eax, %eax
        rep stosb

        /* Four tables of 2 MiB pages: the first 4 GiB. */
        mov     $sym_phys(l2_directmap), %edi
        mov     $(PAGE_HYPERVISOR | _PAGE_PSE), %eax
        mov     $2048, %ecx
1:      mov     %eax, (%edi)
        movl    $0, 4(%edi)
        add     $0x200000, %eax
        add     $8, %edi
        loop    1b

        mov     $(sym_phys(l2_directmap) + PAGE_HYPERVISOR), %eax
        mov     $sym_phys(l3_directmap), %edi
        mov     $4, %ecx
1:      mov     %eax, (%edi)
        add     $0x1000, %eax
        add     $8, %edi
        loop    1b

#define SLOT(va, level) (((va) >> (12 + 9 * ((level) - 1)) & 511) * 8)
        /* One to one for now, at the direct map, and at the image. */
        mov     $(sym_phys(l3_directmap) + PAGE_HYPERVISOR), %eax
        mov     %eax, sym_phys(idle_pg_table)
        mov     %eax, sym_phys(idle_pg_table) + SLOT(DIRECTMAP_VIRT_START, 4)
        mov     $(sym_phys(l3_xen) + PAGE_HYPERVISOR), %eax
        mov     %eax, sym_phys(idle_pg_table) + SLOT(XEN_VIRT_START, 4)
        mov     $(sym_phys(l2_directmap) + PAGE_HYPERVISOR), %eax
        mov     %eax, sym_phys(l3_xen) + SLOT(XEN_VIRT_START, 3)
        mov     $(sym_phys(l2_fixmap) + PAGE_HYPERVISOR), %eax
        mov     %eax, sym_phys(l3_xen) + SLOT(0xffff82cffffff000, 3)
        mov     $(sym_phys(l1_fixmap) + PAGE_HYPERVISOR), %eax
        mov     %eax, sym_phys(l2_fixmap) + SLOT(0xffff82cffffff000, 2)

        /* PAE, long mode, paging with write protection. */
        mov     $0x000000a0, %eax
        mov     %eax, %cr4
        mov     $sym_phys(idle_pg_table), %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        rdmsr
        or      $0x100, %eax
        wrmsr
        mov     $0x80010033, %eax
        mov     %eax, %cr0

        lgdt    sym_phys(boot_gdtr)
        ljmp    $__HYPERVISOR_CS, $sym_phys(1f)

        .code64
1:      lea     start64(%rip), %rax
        movabs  $XEN_VIRT_START, %rcx
        add     %rcx, %rax
        jmp     *%rax
start64:
        mov     $__HYPERVISOR_DS, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        xor     %eax, %eax
        mov     %eax, %fs
        mov     %eax, %gs
        lgdt    gdtr(%rip)
        lea     cpu0_stack(%rip), %rsp
        add     $(STACK_SIZE - 512), %rsp
        mov     %ebx, %edi
        call    __start_xen
        ud2

        .data
        .balign 8
        .globl  gdt, gdtr
gdt:    .quad   0
        .quad   0x00af9b000000ffff      /* e008: ring 0, 64-bit code */
        .quad   0x00cf93000000ffff      /* e010: ring 0, data */
        .quad   0
        .quad   0x00cffb000000ffff      /* e023: ring 3, 32-bit code */
        .quad   0x00cff3000000ffff      /* e02b: ring 3, data */
        .quad   0x00affb000000ffff      /* e033: ring 3, 64-bit code */
        .quad   0
        .quad   0, 0                    /* e040: the TSS */
gdt_end:
gdtr:   .word   FIRST_RESERVED_GDT_BYTE + gdt_end - gdt - 1
        .quad   gdt - FIRST_RESERVED_GDT_BYTE
boot_gdtr:
        .word   FIRST_RESERVED_GDT_BYTE + gdt_end - gdt - 1
        .long   sym_phys(gdt) - FIRST_RESERVED_GDT_BYTE

        .section .bss.stack, "aw", @nobits
        .balign STACK_SIZE
        .globl  cpu0_stack
cpu0_stack:
        .skip   STACK_SIZE
boot_stack_top = cpu0_stack + STACK_SIZE

        .bss
        .balign 4096
        .globl  idle_pg_table, l1_fixmap
idle_pg_table:  .skip 4096
l3_directmap:   .skip 4096
l3_xen:         .skip 4096
l2_fixmap:      .skip 4096
l1_fixmap:      .skip 4096
l2_directmap:   .skip 4 * 4096
