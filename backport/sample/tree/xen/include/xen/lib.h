/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_LIB_H
#define XEN_LIB_H

#include <xen/types.h>
#include <asm/bug.h>

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
#define ROUNDUP(x, a) (((x) + (a) - 1) & ~((typeof(x))(a) - 1))
#define min(a, b) ((a) < (b) ? (a) : (b))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() asm volatile ( "" ::: "memory" )

#define ASSERT(p) do { if ( unlikely(!(p)) ) BUG(); } while ( 0 )

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *s, int c, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
size_t strlen(const char *s);

void printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#define XENLOG_ERR  "(XEN) error: "
#define XENLOG_INFO "(XEN) "

/* The command line holds @name as a word of its own. */
bool cmdline_has(const char *name);
extern const char *saved_cmdline;

#endif /* XEN_LIB_H */
