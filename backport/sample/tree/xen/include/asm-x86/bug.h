/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BUG() is an ud2; the table .bug_frames.2 says which line it was.  Two words
 * a frame: how far the ud2 and the file's name are from it, 24 bits and a sign,
 * and in the top of each 7 bits of the line number.
 */
#ifndef ASM_BUG_H
#define ASM_BUG_H

#include <xen/types.h>

struct bug_frame {
    int32_t loc;
    int32_t file;
};

#define BUG() do {                                                          \
    asm volatile ( "1: ud2\n"                                               \
                   ".pushsection .bug_frames.2, \"a\", @progbits\n"         \
                   ".p2align 2\n"                                           \
                   "2: .long (1b - 2b) + (%c0 << 24)\n"                     \
                   "   .long (%c1 - 2b) + (%c2 << 24)\n"                \
                   ".popsection"                                            \
                   :: "i" (__LINE__ >> 7), "i" (__FILE__),                  \
                      "i" (__LINE__ & 127) );                               \
    __builtin_unreachable();                                                \
} while ( 0 )

static inline int32_t bug_disp(int32_t word)
{
    return (int32_t)((uint32_t)word << 8) >> 8;
}

static inline const void *bug_loc(const struct bug_frame *b)
{
    return (const char *)b + bug_disp(b->loc);
}

static inline const char *bug_file(const struct bug_frame *b)
{
    return (const char *)b + bug_disp(b->file);
}

static inline unsigned int bug_line(const struct bug_frame *b)
{
    return (b->loc - bug_disp(b->loc)) >> 24 << 7 |
           (b->file - bug_disp(b->file)) >> 24;
}

#endif /* ASM_BUG_H */
