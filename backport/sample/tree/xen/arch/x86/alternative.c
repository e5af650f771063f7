/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/lib.h>
#include <asm/alternative.h>
#include <asm/setup.h>

extern const struct alt_instr __alt_instructions[], __alt_instructions_end[];

void apply_alternatives(void)
{
    const struct alt_instr *a;

    for ( a = __alt_instructions; a < __alt_instructions_end; a++ )
    {
        const char *repl = (const char *)&a->repl + a->repl;
        char *instr = (char *)&a->instr + a->instr;

        ASSERT(a->repllen == a->instrlen);
        if ( cpu_has(a->cpuid) )
            memcpy(instr, repl, a->repllen);
    }
}
