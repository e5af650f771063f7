/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Included before everything else, by the compiler's command line. */
#ifndef XEN_CONFIG_H
#define XEN_CONFIG_H

#include <generated/autoconf.h>
#include <asm/config.h>

#ifndef __ASSEMBLY__
/* One image, no dynamic symbols: lets the compiler address externs directly. */
#pragma GCC visibility push(hidden)
#endif

#endif /* XEN_CONFIG_H */
