/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output: the first serial port, and whatever else was set up. */
#include <xen/console.h>
#include <asm/processor.h>

#define COM1 0x3f8

void (*console_sink)(const char *s, size_t n);

void console_puts(const char *s, size_t n)
{
    size_t i;

    if ( console_sink )
    {
        console_sink(s, n);
        return;
    }

    for ( i = 0; i < n; i++ )
    {
        if ( s[i] == '\n' )
            outb('\r', COM1);
        outb(s[i], COM1);
    }
}
