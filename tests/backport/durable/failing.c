/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts the durable calls of a run, and has one of them fail: for LD_PRELOAD, in the tool and in each git
 * that it starts (a build's own programs are left alone).
 *
 * A durable call changes what another process finds on disk: it makes, writes, cuts, renames, links or
 * removes something below `root`, gives it times or a mode, or has it synced.  DURABLE names a file that
 * holds a `struct control`; what it says counts from the next call on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL = 0, HALF = -1, ORPHAN = -2 };

struct control {
    long count;  /* durable calls so far */
    long at;     /* the one that fails; 0: none */
    long error;  /* an errno, or KILL, HALF (write half, then die), ORPHAN (a git outlives the tool) */
    long sticky; /* all later ones fail as well */
    char root[1024];
    char log[1024];
};

static struct control *control;

static void begin(void)
{
    static int begun;
    if (begun)
        return;
    begun = 1;
    const char *name = getenv("DURABLE");
    char program[512];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (!name || size < 0)
        return;
    program[size] = 0;
    const char *base = strrchr(program, '/');
    base = base ? base + 1 : program;
    if (strncmp(base, "git", 3) && strncmp(base, "python", 6))
        return;
    int file = syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return;
    void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (at != MAP_FAILED)
        control = at;
}

static int descriptor_path(int file, char *out, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t got = syscall(SYS_readlink, link, out, size - 1);
    out[got < 0 ? 0 : got] = 0;
    return got > 0 && out[0] == '/';
}

static void absolute(int folder, const char *path, char *out, size_t size)
{
    char base[1024] = "";
    if (path[0] == '/')
        snprintf(out, size, "%s", path);
    else {
        if (folder == AT_FDCWD) {
            if (syscall(SYS_getcwd, base, sizeof base) < 0)
                base[0] = 0;
        } else
            descriptor_path(folder, base, sizeof base);
        snprintf(out, size, "%s/%s", base, path);
    }
}

static void die(void)
{
    kill(0, SIGKILL);
    for (;;)
        pause();
}

static void note(const char *what, const char *path)
{
    if (!control->log[0])
        return;
    char line[2300];
    int size = snprintf(line, sizeof line, "%ld %s %s\n", control->count, what, path);
    int file = syscall(SYS_openat, AT_FDCWD, control->log, O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (file >= 0) {
        syscall(SYS_write, file, line, size);
        syscall(SYS_close, file);
    }
}

/* Whether the call is to fail (errno is set), or to write the half of what it should (2). */
static int fails(const char *what, const char *path)
{
    if (!control || !control->root[0] || strncmp(path, control->root, strlen(control->root)))
        return 0;
    long count = __sync_add_and_fetch(&control->count, 1);
    note(what, path);
    if (!control->at || count < control->at || (count > control->at && !control->sticky))
        return 0;
    if (control->error > 0) {
        errno = control->error;
        return 1;
    }
    if (control->error == HALF && !strcmp(what, "write"))
        return 2;
    if (control->error == ORPHAN) {
        const char *runner = getenv("DURABLE_RUNNER");
        if (runner && atoi(runner) > 0 && atoi(runner) != getpid()) {
            kill(atoi(runner), SIGKILL);
            usleep(300000);
            return 0;
        }
    }
    die();
    return 1;
}

static int fails_at(const char *what, int folder, const char *path)
{
    char whole[2100];
    begin();
    if (!control || !path)
        return 0;
    int before = errno;
    absolute(folder, path, whole, sizeof whole);
    errno = before;
    return fails(what, whole);
}

static int fails_on(const char *what, int file)
{
    char whole[1024];
    begin();
    if (!control || file < 0)
        return 0;
    int before = errno;
    int known = descriptor_path(file, whole, sizeof whole);
    errno = before;
    return known ? fails(what, whole) : 0;
}

#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real)                                                                                     \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *data, size_t size)
{
    REAL(ssize_t, write, int, const void *, size_t);
    int how = fails_on("write", file);
    if (how == 2) {
        real(file, data, size / 2);
        die();
    }
    return how ? -1 : real(file, data, size);
}

ssize_t writev(int file, const struct iovec *parts, int many)
{
    REAL(ssize_t, writev, int, const struct iovec *, int);
    return fails_on("writev", file) ? -1 : real(file, parts, many);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t size, unsigned int flags)
{
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned int);
    return fails_on("copy", to) ? -1 : real(from, at, to, there, size, flags);
}

#define SENDFILE(name, type)                                                                       \
    ssize_t name(int to, int from, type *at, size_t size)                                          \
    {                                                                                              \
        REAL(ssize_t, name, int, int, type *, size_t);                                             \
        return fails_on("copy", to) ? -1 : real(to, from, at, size);                               \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

#define PWRITE(name, type)                                                                         \
    ssize_t name(int file, const void *data, size_t size, type at)                                 \
    {                                                                                              \
        REAL(ssize_t, name, int, const void *, size_t, type);                                      \
        int how = fails_on("write", file);                                                         \
        if (how == 2) {                                                                            \
            real(file, data, size / 2, at);                                                        \
            die();                                                                                 \
        }                                                                                          \
        return how ? -1 : real(file, data, size, at);                                              \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_FILE(name, word)                                                                        \
    int name(int file)                                                                             \
    {                                                                                              \
        REAL(int, name, int);                                                                      \
        return fails_on(word, file) ? -1 : real(file);                                             \
    }
ON_FILE(fsync, "fsync")
ON_FILE(fdatasync, "fsync")
ON_FILE(syncfs, "fsync")

#define CUT(name, type)                                                                            \
    int name(int file, type size)                                                                  \
    {                                                                                              \
        REAL(int, name, int, type);                                                                \
        return fails_on("truncate", file) ? -1 : real(file, size);                                 \
    }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

int futimens(int file, const struct timespec times[2])
{
    REAL(int, futimens, int, const struct timespec *);
    return fails_on("utime", file) ? -1 : real(file, times);
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
    REAL(int, utimensat, int, const char *, const struct timespec *, int);
    return fails_at("utime", folder, path) ? -1 : real(folder, path, times, flags);
}

int utimes(const char *path, const struct timeval times[2])
{
    REAL(int, utimes, const char *, const struct timeval *);
    return fails_at("utime", AT_FDCWD, path) ? -1 : real(path, times);
}

int fchmod(int file, mode_t mode)
{
    REAL(int, fchmod, int, mode_t);
    return fails_on("chmod", file) ? -1 : real(file, mode);
}

int chmod(const char *path, mode_t mode)
{
    REAL(int, chmod, const char *, mode_t);
    return fails_at("chmod", AT_FDCWD, path) ? -1 : real(path, mode);
}

int rename(const char *from, const char *to)
{
    REAL(int, rename, const char *, const char *);
    return fails_at("rename", AT_FDCWD, to) ? -1 : real(from, to);
}

int renameat(int at, const char *from, int there, const char *to)
{
    REAL(int, renameat, int, const char *, int, const char *);
    return fails_at("rename", there, to) ? -1 : real(at, from, there, to);
}

int renameat2(int at, const char *from, int there, const char *to, unsigned int flags)
{
    REAL(int, renameat2, int, const char *, int, const char *, unsigned int);
    return fails_at("rename", there, to) ? -1 : real(at, from, there, to, flags);
}

int link(const char *from, const char *to)
{
    REAL(int, link, const char *, const char *);
    return fails_at("link", AT_FDCWD, to) ? -1 : real(from, to);
}

int linkat(int at, const char *from, int there, const char *to, int flags)
{
    REAL(int, linkat, int, const char *, int, const char *, int);
    return fails_at("link", there, to) ? -1 : real(at, from, there, to, flags);
}

int symlink(const char *text, const char *path)
{
    REAL(int, symlink, const char *, const char *);
    return fails_at("symlink", AT_FDCWD, path) ? -1 : real(text, path);
}

int symlinkat(const char *text, int folder, const char *path)
{
    REAL(int, symlinkat, const char *, int, const char *);
    return fails_at("symlink", folder, path) ? -1 : real(text, folder, path);
}

int unlink(const char *path)
{
    REAL(int, unlink, const char *);
    return fails_at("unlink", AT_FDCWD, path) ? -1 : real(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    REAL(int, unlinkat, int, const char *, int);
    return fails_at("unlink", folder, path) ? -1 : real(folder, path, flags);
}

int rmdir(const char *path)
{
    REAL(int, rmdir, const char *);
    return fails_at("rmdir", AT_FDCWD, path) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(int, mkdir, const char *, mode_t);
    return access(path, F_OK) && fails_at("mkdir", AT_FDCWD, path) ? -1 : real(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    REAL(int, mkdirat, int, const char *, mode_t);
    return fails_at("mkdir", folder, path) ? -1 : real(folder, path, mode);
}

#define MADE(flags) ((flags) & (O_CREAT | O_TRUNC))

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        REAL(int, name, const char *, int, ...);                                                   \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                    \
        va_end(rest);                                                                              \
        return MADE(flags) && fails_at("open", AT_FDCWD, path) ? -1 : real(path, flags, mode);     \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    int name(int folder, const char *path, int flags, ...)                                         \
    {                                                                                              \
        REAL(int, name, int, const char *, int, ...);                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                    \
        va_end(rest);                                                                              \
        return MADE(flags) && fails_at("open", folder, path) ? -1                                  \
                                                             : real(folder, path, flags, mode);    \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                                                \
    FILE *name(const char *path, const char *mode)                                                 \
    {                                                                                              \
        REAL(FILE *, name, const char *, const char *);                                            \
        return mode[0] != 'r' && fails_at("open", AT_FDCWD, path) ? NULL : real(path, mode);       \
    }
FOPEN(fopen)
FOPEN(fopen64)

#define TEMPORARY(name)                                                                            \
    int name(char *path)                                                                           \
    {                                                                                              \
        REAL(int, name, char *);                                                                   \
        return fails_at("open", AT_FDCWD, path) ? -1 : real(path);                                 \
    }
TEMPORARY(mkstemp)
TEMPORARY(mkstemp64)
