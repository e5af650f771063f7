/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <xen/types.h>
#include <asm/uaccess.h>

struct exception_table_entry {
    int32_t addr;
    int32_t cont;
};

extern const struct exception_table_entry __start_ex_table[], __stop_ex_table[];

unsigned long search_exception_table(unsigned long addr)
{
    const struct exception_table_entry *e;

    for ( e = __start_ex_table; e < __stop_ex_table; e++ )
        if ( (unsigned long)&e->addr + e->addr == addr )
            return (unsigned long)&e->cont + e->cont;

    return 0;
}
