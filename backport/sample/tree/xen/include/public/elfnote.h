/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PUBLIC_ELFNOTE_H
#define PUBLIC_ELFNOTE_H

#define XEN_ELFNOTE_ENTRY          1
#define XEN_ELFNOTE_HYPERCALL_PAGE 2
#define XEN_ELFNOTE_VIRT_BASE      3
#define XEN_ELFNOTE_PAE_MODE       9
#define XEN_ELFNOTE_HV_START_LOW   12
#define XEN_ELFNOTE_PHYS32_ENTRY   18

#endif /* PUBLIC_ELFNOTE_H */
