/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_CONSOLE_H
#define XEN_CONSOLE_H

#include <xen/types.h>

void console_puts(const char *s, size_t n);

/* Where console_puts() writes besides the serial port; NULL for nowhere. */
extern void (*console_sink)(const char *s, size_t n);

#endif /* XEN_CONSOLE_H */
