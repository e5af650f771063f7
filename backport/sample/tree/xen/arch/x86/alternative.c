/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/lib.h>
#include <asm/alternative.h>
#include <asm/setup.h>

extern const struct alt_instr __start_altinstructions[], __stop_altinstructions[];

void apply_alternatives(void)
{
    const struct alt_instr *a;

    for ( a = __start_altinstructions; a < __stop_altinstructions; a++ )
    {
        const char *repl = (const char *)&a->repl + a->repl;
        char *instr = (char *)&a->instr + a->instr;

        ASSERT(a->repllen == a->instrlen);
        if ( cpu_has(a->cpuid) )
            memcpy(instr, repl, a->repllen);
    }
}
