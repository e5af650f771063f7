/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_GUEST_ACCESS_H
#define XEN_GUEST_ACCESS_H

#include <xen/types.h>
#include <public/xen.h>
#include <asm/uaccess.h>

#define guest_handle_okay(hnd, nr) \
    access_ok((hnd).p, sizeof(*(hnd).p) * (unsigned long)(nr))

/* All return the number of bytes not copied.  The void handle of a hypercall
   takes its size from the object on our side. */
#define copy_from_guest(ptr, hnd, nr) \
    copy_from_user(ptr, (hnd).p, sizeof(*(ptr)) * (nr))

/* For a range that copy_from_guest() or guest_handle_okay() has passed. */
#define __copy_to_guest(hnd, ptr, nr) \
    __copy_to_user((hnd).p, ptr, sizeof(*(ptr)) * (nr))
#define __copy_to_guest_offset(hnd, off, ptr, nr) \
    __copy_to_user((hnd).p + (off), ptr, sizeof(*(ptr)) * (nr))

#endif /* XEN_GUEST_ACCESS_H */
