/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the guest and back, and our own exceptions. */
#include <asm/alternative.h>
#include <asm/config.h>

#define UREGS_SIZE    (21 * 8)
#define UREGS_rax     (10 * 8)
#define UREGS_rip     (16 * 8)

        .macro save_all
        push    %rdi
        push    %rsi
        push    %rdx
        push    %rcx
        push    %rax
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        .endm

        .macro restore_all
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rax
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
        add     $8, %rsp        /* error code and vector */
        .endm

        .text

/* A 64-bit guest's syscall: rip in rcx, rflags in r11, nothing on our stack. */
        .globl  lstar_enter
lstar_enter:
        mov     %rsp, guest_rsp(%rip)
        mov     init_rsp(%rip), %rsp
        push    $FLAT_RING3_SS64
        push    guest_rsp(%rip)
        push    %r11
        push    $FLAT_RING3_CS64
        push    %rcx
        push    $0
        movl    $0x100, 4(%rsp)
        save_all
        mov     %rsp, %rdi
        call    pv_hypercall
        /* fall through */

        .globl  restore_all_guest
restore_all_guest:
        restore_all
        iretq

#ifdef CONFIG_COMPAT
/* A 32-bit guest's int $0x82, an interrupt gate: AC is as the guest left it. */
        .globl  entry_int82
entry_int82:
        alternative3 clac, X86_FEATURE_XEN_SMAP
        push    $0
        movl    $0x82, 4(%rsp)
        save_all
        cld
        mov     %rsp, %rdi
        call    pv_hypercall
        /* fall through */

        .globl  compat_restore_all_guest
compat_restore_all_guest:
        restore_all
        iretq
#endif

exception_common:
        save_all
        cld
        mov     %rsp, %rdi
        call    do_trap
        restore_all
        iretq

/* 16 bytes each; the CPU pushes an error code for some of them itself. */
        .balign 16
        .globl  exception_stubs
exception_stubs:
        vec = 0
        .rept   32
        .balign 16
        .if     !(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17)
        push    $0
        .endif
        movl    $vec, 4(%rsp)
        jmp     exception_common
        vec = vec + 1
        .endr

/* Onto an empty stack, and into the guest with the registers found there. */
        .globl  reset_stack_and_enter_guest
reset_stack_and_enter_guest:
        mov     init_rsp(%rip), %rsp
        sub     $UREGS_SIZE, %rsp
        testb   $1, guest_is_compat(%rip)
        jnz     1f
        jmp     restore_all_guest
1:
#ifdef CONFIG_COMPAT
        jmp     compat_restore_all_guest
#else
        ud2
#endif

        .data
        .balign 8
        .globl  init_rsp, guest_is_compat
init_rsp:       .quad 0
guest_rsp:      .quad 0
guest_is_compat: .quad 0
