/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_XMALLOC_H
#define XEN_XMALLOC_H

#include <xen/types.h>

void *_xzalloc(unsigned long size, unsigned long align);
void xfree(void *p);

#define xzalloc(type) ((type *)_xzalloc(sizeof(type), __alignof__(type)))
#define xzalloc_array(type, nr) \
    ((type *)_xzalloc(sizeof(type) * (nr), __alignof__(type)))

#endif /* XEN_XMALLOC_H */
