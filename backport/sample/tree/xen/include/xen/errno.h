/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_ERRNO_H
#define XEN_ERRNO_H

#define EPERM       1
#define ENOENT      2
#define ESRCH       3
#define E2BIG       7
#define ENOMEM     12
#define EFAULT     14
#define EBUSY      16
#define EEXIST     17
#define ENODEV     19
#define EINVAL     22
#define ENOSPC     28
#define ENOSYS     38
#define EOPNOTSUPP 95

#endif /* XEN_ERRNO_H */
