/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings and the formatted output of messages. */
#include <xen/console.h>
#include <xen/lib.h>
#include <xen/spinlock.h>
#include <asm/processor.h>

void *memcpy(void *to, const void *from, size_t n)
{
    void *d = to;

    asm volatile ( "rep movsb" : "+D" (d), "+S" (from), "+c" (n) :: "memory" );

    return to;
}

void *memset(void *s, int c, size_t n)
{
    void *d = s;

    asm volatile ( "rep stosb" : "+D" (d), "+c" (n) : "a" (c) : "memory" );

    return s;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for ( ; n; n--, a++, b++ )
        if ( *a != *b || !*a )
            return (unsigned char)*a - (unsigned char)*b;

    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, ~0UL);
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while ( s[n] )
        n++;

    return n;
}

const char *saved_cmdline = "";

bool cmdline_has(const char *name)
{
    const char *p = saved_cmdline;
    size_t n = strlen(name);

    while ( *p )
    {
        while ( *p == ' ' )
            p++;
        if ( !strncmp(p, name, n) && (!p[n] || p[n] == ' ') )
            return true;
        while ( *p && *p != ' ' )
            p++;
    }

    return false;
}

static DEFINE_SPINLOCK(print_lock);

static size_t put_number(char *out, uint64_t v, unsigned int base)
{
    char tmp[20];
    size_t n = 0, i;

    do {
        tmp[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while ( v );

    for ( i = 0; i < n; i++ )
        out[i] = tmp[n - 1 - i];

    return n;
}

/* %s, %d, %u, %x with l, and %p: no widths. */
static void vprintk(const char *fmt, __builtin_va_list ap)
{
    char line[256];
    size_t n = 0;

    for ( ; *fmt && n < sizeof(line) - 24; fmt++ )
    {
        bool l = false;
        long v;

        if ( *fmt != '%' )
        {
            line[n++] = *fmt;
            continue;
        }
        for ( fmt++; *fmt == 'l' || *fmt == '#'; fmt++ )
            if ( *fmt == 'l' )
                l = true;
            else
            {
                line[n++] = '0';
                line[n++] = 'x';
            }
        switch ( *fmt )
        {
        case 's':
        {
            const char *s = __builtin_va_arg(ap, const char *);

            while ( *s && n < sizeof(line) - 24 )
                line[n++] = *s++;
            break;
        }
        case 'p':
            n += put_number(line + n, (unsigned long)__builtin_va_arg(ap, void *), 16);
            break;
        case 'd':
            v = l ? __builtin_va_arg(ap, long) : __builtin_va_arg(ap, int);
            if ( v < 0 )
            {
                line[n++] = '-';
                v = -v;
            }
            n += put_number(line + n, v, 10);
            break;
        case 'u':
        case 'x':
            n += put_number(line + n,
                            l ? __builtin_va_arg(ap, unsigned long)
                              : __builtin_va_arg(ap, unsigned int),
                            *fmt == 'u' ? 10 : 16);
            break;
        default:
            line[n++] = *fmt;
            break;
        }
    }

    spin_lock(&print_lock);
    console_puts(line, n);
    spin_unlock(&print_lock);
}

void printk(const char *fmt, ...)
{
    __builtin_va_list ap;

    __builtin_va_start(ap, fmt);
    vprintk(fmt, ap);
    __builtin_va_end(ap);
}

void panic(const char *fmt, ...)
{
    __builtin_va_list ap;

    __builtin_va_start(ap, fmt);
    vprintk(fmt, ap);
    __builtin_va_end(ap);

    for ( ; ; )
        halt();
}
