/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PUBLIC_SCHED_H
#define PUBLIC_SCHED_H

#define SCHEDOP_yield    0
#define SCHEDOP_block    1
#define SCHEDOP_shutdown 2

#define SHUTDOWN_poweroff 0
#define SHUTDOWN_reboot   1
#define SHUTDOWN_crash    3

#endif /* PUBLIC_SCHED_H */
