/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch LOG CWD EXE ARG0 [ARG...]: run a command and log what every process of it does with files.
 *
 * ptrace(2) with a seccomp(2) filter, so that only the calls that name a file stop.  A preloaded
 * library was the other way; it misses static programs, what libc does inside fopen() or opendir(),
 * and whoever clears its environment, and a missed read means a wrong object.
 *
 * A call that only looks (open for reading, stat, readlink: 99 of 100 in a build) stops once, before
 * it runs, and what it will find is looked up here; one that makes, changes or removes stops a second
 * time, when it has succeeded.  So a file that comes into being between the look and the call is in
 * the log as absent first and as written afterwards, which `derive.py` takes for what it is: a race.
 *
 * A record is "KIND SERIAL LENGTH\n", that many bytes, "\n".  SERIAL numbers a process (never used
 * twice, threads count as their process).  KIND:
 *   F  child process (bytes: serial of the parent)      Q  it ended (exit status; 128+n for a signal)
 *   X  program image in place (bytes: resolved path); then x (the path that was asked for: a script's,
 *      a link's), c (directory), a (arguments), e (environment), 0 1 2 (what these descriptors are),
 *      f (another one that it inherits), u (its umask, the signals that it ignores or holds back, its limits,
 *      the processors that it may use, how it is scheduled, its execution domain)
 *   R  opened for reading, executed, or link read       W  made anew, or emptied and written
 *   A  changed in place                                 U  removed
 *   N  a name that now stands for another file         L  it is a link (two texts: path, target)
 *   H  a second name of a file (two texts: old, new)
 *   S  asked about, and there                           E  asked for, and absent
 *   P  the same, but it learnt only that it is there, and may be read and written
 *   D  directory opened                                 M  directory made
 *   K  directory removed                                m  to be made, and there already
 *   V  something that may not happen again, or otherwise: names moved, a process left running
 *   O  something that cannot be followed: what this process looked at is not known
 * Two texts have a zero byte between them.
 *   Z  last record: the log is whole
 * Exit status: the command's; 250 when it could not be started under watch.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "this processor's system calls are not described here"
#endif

#define CANNOT 250
#define BUCKETS 1024

/* What a system call means: which argument is the path, and what it says of it. */
enum what { OPEN, OPEN2, CREAT, LOOK, LINKREAD, EXEC, RENAME, REMOVE, LINK, SYMLINK, MAKE, MKDIR,
            CHANGE, MOVE, CONNECT, OPAQUE, RMDIR, FCHANGE };

struct call {
    int nr;
    enum what what;
    int at;    /* argument that holds the directory descriptor, or -1 */
    int path;  /* argument that holds the path, or -1 */
    int flags; /* argument that holds the flags, or -1 */
};

#define NOFOLLOW -2 /* instead of an argument with flags: a link itself is looked at */

static const struct call calls[] = {
#ifdef SYS_open
    { SYS_open, OPEN, -1, 0, 1 },
    { SYS_creat, CREAT, -1, 0, -1 },
    { SYS_stat, LOOK, -1, 0, -1 },
    { SYS_lstat, LOOK, -1, 0, NOFOLLOW },
    { SYS_access, LOOK, -1, 0, -1 },
    { SYS_readlink, LINKREAD, -1, 0, -1 },
    { SYS_rename, RENAME, -1, 0, -1 },
    { SYS_unlink, REMOVE, -1, 0, -1 },
    { SYS_rmdir, RMDIR, -1, 0, -1 },
    { SYS_link, LINK, -1, 0, -1 },
    { SYS_symlink, SYMLINK, -1, 1, -1 },
    { SYS_mkdir, MKDIR, -1, 0, -1 },
    { SYS_mknod, MAKE, -1, 0, -1 },
    { SYS_chmod, CHANGE, -1, 0, -1 },
    { SYS_chown, CHANGE, -1, 0, -1 },
    { SYS_lchown, CHANGE, -1, 0, NOFOLLOW },
    { SYS_utime, CHANGE, -1, 0, -1 },
    { SYS_utimes, CHANGE, -1, 0, -1 },
    { SYS_futimesat, CHANGE, 0, 1, -1 },
#endif
#ifdef SYS_renameat
    { SYS_renameat, RENAME, 0, 1, -1 },
#endif
    { SYS_openat, OPEN, 0, 1, 2 },
    { SYS_openat2, OPEN2, 0, 1, 2 },
    { SYS_newfstatat, LOOK, 0, 1, 3 },
    { SYS_statx, LOOK, 0, 1, 2 },
    { SYS_faccessat, LOOK, 0, 1, -1 },
#ifdef SYS_faccessat2
    { SYS_faccessat2, LOOK, 0, 1, 3 },
#endif
    { SYS_readlinkat, LINKREAD, 0, 1, -1 },
    { SYS_execve, EXEC, -1, 0, -1 },
    { SYS_execveat, EXEC, 0, 1, -1 },
    { SYS_renameat2, RENAME, 0, 1, 4 },
    { SYS_unlinkat, REMOVE, 0, 1, 2 },
    { SYS_linkat, LINK, 0, 1, -1 },
    { SYS_symlinkat, SYMLINK, 1, 2, -1 },
    { SYS_mkdirat, MKDIR, 0, 1, -1 },
    { SYS_mknodat, MAKE, 0, 1, -1 },
    { SYS_truncate, CHANGE, -1, 0, -1 },
    { SYS_fchmodat, CHANGE, 0, 1, -1 },
    { SYS_fchownat, CHANGE, 0, 1, 4 },
    { SYS_utimensat, CHANGE, 0, 1, 3 },
    { SYS_fchmod, FCHANGE, 0, -1, -1 },
    { SYS_fchown, FCHANGE, 0, -1, -1 },
    { SYS_getxattr, LOOK, -1, 0, -1 },
    { SYS_lgetxattr, LOOK, -1, 0, NOFOLLOW },
    { SYS_listxattr, LOOK, -1, 0, -1 },
    { SYS_llistxattr, LOOK, -1, 0, NOFOLLOW },
    { SYS_setxattr, CHANGE, -1, 0, -1 },
    { SYS_lsetxattr, CHANGE, -1, 0, NOFOLLOW },
    { SYS_fsetxattr, FCHANGE, 0, -1, -1 },
    { SYS_removexattr, CHANGE, -1, 0, -1 },
    { SYS_lremovexattr, CHANGE, -1, 0, NOFOLLOW },
    { SYS_fremovexattr, FCHANGE, 0, -1, -1 },
    { SYS_statfs, LOOK, -1, 0, -1 },
    { SYS_name_to_handle_at, LOOK, 0, 1, -1 },
    { SYS_chdir, MOVE, -1, 0, -1 },
    { SYS_fchdir, MOVE, -1, -1, -1 },
    { SYS_connect, CONNECT, -1, -1, -1 },
    { SYS_open_by_handle_at, OPAQUE, -1, -1, -1 },
    { SYS_io_uring_setup, OPAQUE, -1, -1, -1 },
    { SYS_bind, OPAQUE, -1, -1, -1 },
    { SYS_shmget, OPAQUE, -1, -1, -1 },
    { SYS_msgget, OPAQUE, -1, -1, -1 },
    { SYS_mq_open, OPAQUE, -1, -1, -1 },
    { SYS_inotify_add_watch, OPAQUE, -1, -1, -1 },
    { SYS_ptrace, OPAQUE, -1, -1, -1 },
    { SYS_chroot, OPAQUE, -1, -1, -1 },
    { SYS_unshare, OPAQUE, -1, -1, -1 },
    { SYS_setns, OPAQUE, -1, -1, -1 },
    { SYS_mount, OPAQUE, -1, -1, -1 },
    { SYS_semget, OPAQUE, -1, -1, -1 },
    { SYS_getpriority, OPAQUE, -1, -1, -1 },
    { SYS_fanotify_init, OPAQUE, -1, -1, -1 },
    { SYS_userfaultfd, OPAQUE, -1, -1, -1 },
    { SYS_process_vm_readv, OPAQUE, -1, -1, -1 },
    { SYS_process_vm_writev, OPAQUE, -1, -1, -1 },
    { SYS_add_key, OPAQUE, -1, -1, -1 },
    { SYS_request_key, OPAQUE, -1, -1, -1 },
    { SYS_keyctl, OPAQUE, -1, -1, -1 },
    { 428 /* open_tree */, OPAQUE, -1, -1, -1 },
    { 429 /* move_mount */, OPAQUE, -1, -1, -1 },
    { 430 /* fsopen */, OPAQUE, -1, -1, -1 },
    { 433 /* fspick */, OPAQUE, -1, -1, -1 },
    { 438 /* pidfd_getfd */, OPAQUE, -1, -1, -1 },
    { 452 /* fchmodat2 */, CHANGE, 0, 1, 3 },
};
/* The last call that this table knows to be there; which of those up to it say nothing is settled. */
#define KNOWN 462
static const struct call unknown = { -1, OPAQUE, -1, -1, -1 }; /* later, or of another table (x32) */
#define CALLS (sizeof(calls) / sizeof(calls[0]))

struct task {
    struct task *next;
    pid_t tid;
    unsigned long serial;
    int held;   /* stopped at birth until its parent's event tells whose child it is */
    int known;  /* that event has come */
    int thread; /* not its process's first */
    const struct call *call;
    unsigned long flags;
    unsigned long mode; /* of access(2) */
    int existed;
    char *path;
    char *other;
    char *folder; /* the process's directory, as of the move number `moves` */
    unsigned long moves;
};

static struct task *tasks[BUCKETS];
static unsigned long serials;
static unsigned long moves; /* of any process from one directory to another */
static FILE *out;

static void record(char kind, unsigned long serial, const void *bytes, size_t size)
{
    fprintf(out, "%c %lu %zu\n", kind, serial, size);
    fwrite(bytes, 1, size, out);
    fputc('\n', out);
}

static void say(char kind, const struct task *task, const char *text)
{
    record(kind, task->serial, text, strlen(text));
}

static void say_two(char kind, const struct task *task, const char *one, const char *other)
{
    char *both = NULL;
    int size = asprintf(&both, "%s%c%s", one, 0, other);
    if (size < 0)
        abort();
    record(kind, task->serial, both, size);
    free(both);
}

static struct task *find(pid_t tid)
{
    struct task *task = tasks[tid % BUCKETS];
    while (task && task->tid != tid)
        task = task->next;
    return task;
}

static struct task *add(pid_t tid)
{
    struct task *task = calloc(1, sizeof(*task));
    if (!task)
        abort();
    task->tid = tid;
    task->next = tasks[tid % BUCKETS];
    tasks[tid % BUCKETS] = task;
    return task;
}

static void forget_call(struct task *task)
{
    free(task->path);
    free(task->other);
    task->path = task->other = NULL;
    task->call = NULL;
}

static void drop(struct task *gone)
{
    struct task **at = &tasks[gone->tid % BUCKETS];
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    forget_call(gone);
    free(gone->folder);
    free(gone);
}

static pid_t group_of(pid_t tid)
{
    char name[64], line[256];
    pid_t group = tid;
    snprintf(name, sizeof(name), "/proc/%d/status", tid);
    FILE *file = fopen(name, "re");
    if (!file)
        return tid;
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "Tgid: %d", &group) == 1)
            break;
    fclose(file);
    return group;
}

static char *link_of(pid_t tid, const char *name)
{
    char proc[64], buffer[8192];
    snprintf(proc, sizeof(proc), "/proc/%d/%s", tid, name);
    ssize_t size = readlink(proc, buffer, sizeof(buffer) - 1);
    if (size < 0)
        return strdup("?");
    buffer[size] = 0;
    return strdup(buffer);
}

static void copy_proc(char kind, const struct task *task, const char *name)
{
    char proc[64];
    size_t size = 0, room = 1 << 16;
    char *bytes = malloc(room);
    snprintf(proc, sizeof(proc), "/proc/%d/%s", task->tid, name);
    int fd = open(proc, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && bytes) {
        ssize_t got = read(fd, bytes + size, room - size);
        if (got <= 0)
            break;
        size += got;
        if (size == room)
            bytes = realloc(bytes, room *= 2);
    }
    if (!bytes)
        abort();
    if (fd >= 0)
        close(fd);
    record(kind, task->serial, bytes, size);
    free(bytes);
}

static ssize_t peek(pid_t tid, unsigned long from, void *to, size_t size)
{
    struct iovec here = { to, size }, there = { (void *)from, size };
    return process_vm_readv(tid, &here, 1, &there, 1, 0);
}

static const char *folder_of(struct task *task)
{
    if (!task->folder || task->moves != moves) {
        free(task->folder);
        task->folder = link_of(task->tid, "cwd");
        task->moves = moves;
    }
    return task->folder;
}

/* A path argument made absolute; NULL where there is none (or it is empty: a descriptor is meant). */
static char *path_of(struct task *task, int directory, unsigned long from)
{
    char text[4097], *whole;
    size_t size = 0;
    pid_t tid = task->tid;
    while (size < sizeof(text) - 1) {
        size_t step = 256 - (from + size) % 256; /* never across a page that may not be there */
        if (step > sizeof(text) - 1 - size)
            step = sizeof(text) - 1 - size;
        ssize_t got = from ? peek(tid, from + size, text + size, step) : -1;
        if (got <= 0) {
            if (from && errno != EFAULT && errno != ESRCH) /* the call fails as well, or is not made */
                say('O', task, "a program that may not be looked into");
            return NULL;
        }
        if (memchr(text + size, 0, got))
            break;
        size += got;
    }
    text[sizeof(text) - 1] = 0;
    if (!text[0])
        return NULL;
    if (text[0] == '/')
        return strdup(text);
    char name[32], *base = NULL;
    if (directory != AT_FDCWD) {
        snprintf(name, sizeof(name), "fd/%d", directory);
        base = link_of(tid, name);
    }
    const char *folder = base ? base : folder_of(task);
    if (folder[0] == '?' && kill(tid, 0) == 0)
        say('O', task, "a folder that cannot be named");
    if (asprintf(&whole, "%s/%s", folder, text) < 0)
        abort();
    free(base);
    return whole;
}

/* The name of the file that a descriptor is open on; NULL where it has none. */
static char *file_of(pid_t tid, int fd)
{
    char name[32], proc[64];
    struct stat open_on, named;
    snprintf(name, sizeof(name), "fd/%d", fd);
    snprintf(proc, sizeof(proc), "/proc/%d/%s", tid, name);
    char *path = link_of(tid, name);
    if (path[0] == '/' && stat(proc, &open_on) == 0 && lstat(path, &named) == 0 &&
        open_on.st_dev == named.st_dev && open_on.st_ino == named.st_ino)
        return path;
    free(path);
    return NULL;
}

/* A path through proc(5) or /dev/fd: the file that is meant, and whose process it tells of. */
static void see_through(struct task *task, int follow)
{
    int fd = -1, end = 0;
    pid_t other = 0;
    const char *path = task->path;
    if (strncmp(path, "/proc/", 6) && strncmp(path, "/dev/", 5))
        return;
    if (sscanf(path, "/proc/%d", &other) == 1 && other != group_of(task->tid) && other != task->tid)
        say('O', task, "what another process is");
    if (!follow)
        return;
    if ((sscanf(path, "/proc/self/fd/%d%n", &fd, &end) == 1 && !path[end]) ||
        (sscanf(path, "/proc/thread-self/fd/%d%n", &fd, &end) == 1 && !path[end]) ||
        (sscanf(path, "/proc/%*d/fd/%d%n", &fd, &end) == 1 && !path[end]) ||
        (sscanf(path, "/dev/fd/%d%n", &fd, &end) == 1 && !path[end])) {
        char *file = file_of(task->tid, fd);
        if (file) {
            free(task->path);
            task->path = file;
        }
    }
}

/* A path of the kernel's own making, from the process's directory. */
static char *absolute(const struct task *task, const char *path)
{
    char *whole = NULL, *base = path[0] == '/' ? strdup("") : link_of(task->tid, "cwd");
    if (asprintf(&whole, path[0] == '/' ? "%s%s" : "%s/%s", base, path) < 0)
        abort();
    free(base);
    return whole;
}

static void restart(pid_t tid, enum __ptrace_request how, int signal)
{
    /* A task that was killed meanwhile is not there any more: its end is reported by waitpid. */
    ptrace(how, tid, 0L, (long)signal);
}

static int is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int is_regular(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* access(2) tells that a file is there; only whether it may be executed differs among a tree's files. */
static char met(const struct task *task)
{
    switch (task->call->nr) {
#ifdef SYS_access
    case SYS_access:
#endif
    case SYS_faccessat:
#ifdef SYS_faccessat2
    case SYS_faccessat2:
#endif
        return task->mode & X_OK ? 'S' : 'P';
    default: return 'S';
    }
}

/* A call that only looks: told by what is there now.  Returns whether its end matters all the same. */
static int looked(struct task *task)
{
    enum what what = task->call->what;
    unsigned long flags = task->flags;
    struct stat st;
    int follow = 1;
    if (what == LOOK)
        follow = task->call->flags != NOFOLLOW && !(flags & AT_SYMLINK_NOFOLLOW);
    else if (what == LINKREAD)
        follow = 0;
    else if (what != EXEC && (flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_NOFOLLOW)))
        return 1;
    if (fstatat(AT_FDCWD, task->path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW)) {
        if (errno == ENAMETOOLONG)
            say('O', task, "a path that is too long");
        say(is_absent(errno) ? 'E' : 'S', task, task->path);
        return 0;
    }
    switch (what) {
    case LOOK: say(met(task), task, task->path); return 0;
    case LINKREAD: say(S_ISLNK(st.st_mode) ? 'R' : 'S', task, task->path); return 0;
    case EXEC: return 1;
    default:
        say(S_ISDIR(st.st_mode) ? 'D' : 'R', task, task->path);
        if (S_ISFIFO(st.st_mode))
            say('O', task, "a FIFO");
        return 0;
    }
}

/* A watched call begins.  Returns whether its end matters. */
static int enter(struct task *task)
{
    struct __ptrace_syscall_info info;
    forget_call(task);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) <= 0)
        return 0;
    if (info.op != PTRACE_SYSCALL_INFO_SECCOMP || info.arch != NATIVE) {
        say('O', task, "a program for another processor");
        return 0;
    }
    const __typeof__(info.seccomp.args[0]) *args = info.seccomp.args;
    for (size_t i = 0; i < CALLS; i++)
        if ((unsigned)calls[i].nr == info.seccomp.nr)
            task->call = &calls[i];
    if (!task->call)
        task->call = &unknown;
    const struct call *call = task->call;
    if (call->path >= 0) {
        int directory = call->at < 0 ? AT_FDCWD : (int)args[call->at];
        task->path = path_of(task, directory, args[call->path]);
        if (!task->path && call->at >= 0 &&
            (call->what == CHANGE || call->what == LINK || call->what == EXEC))
            task->path = file_of(task->tid, directory); /* the descriptor itself is meant */
        if (task->path)
            see_through(task, call->what != LINKREAD && call->what != EXEC && call->what != RENAME &&
                                  call->what != REMOVE);
        else if (call->what != LINK)
            return call->what == EXEC;
    }
    if (call->what == RENAME || call->what == LINK) {
        int far = call->at < 0 ? 1 : 3;
        int directory = call->at < 0 ? AT_FDCWD : (int)args[2];
        task->other = path_of(task, directory, args[far]);
        if (call->what == RENAME && call->flags >= 0 && (args[call->flags] & ~(unsigned long)1))
            say('V', task, "an exchange of two names");
    }
    if (call->what == FCHANGE) {
        char name[32];
        snprintf(name, sizeof(name), "fd/%d", (int)args[0]);
        task->path = link_of(task->tid, name);
        if (task->path[0] != '/') /* a pipe, or nothing */
            return 0;
    }
    task->flags = call->flags >= 0 ? args[call->flags] : 0;
    task->mode = args[call->path + 1 < 6 ? call->path + 1 : 5];
    if (call->what == OPEN2) {
        struct open_how how = { 0 };
        peek(task->tid, args[call->flags], &how, sizeof(how));
        task->flags = how.flags;
        if (how.resolve)
            say('O', task, "a path resolved in a way of its own");
    }
    if (call->what == CREAT)
        task->flags = O_CREAT | O_WRONLY | O_TRUNC;
    switch (call->what) {
    case LOOK: case LINKREAD: case EXEC: return looked(task);
    case OPEN: case OPEN2:
        if (!looked(task))
            return 0;
        /* fall through */
    case CREAT: task->existed = access(task->path, F_OK) == 0; return 1;
    default: return 1;
    }
}

/* A name stands for another file now: for a link, say where that leads. */
static void named(const struct task *task, const char *path)
{
    char target[PATH_MAX];
    ssize_t size = readlink(path, target, sizeof(target) - 1);
    if (size < 0) {
        say('N', task, path);
        return;
    }
    target[size] = 0;
    say_two('L', task, path, target);
}

static void opened(struct task *task, long fd)
{
    char name[64];
    struct stat st;
    unsigned long flags = task->flags;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return;
    if (flags & O_PATH) {
        say('S', task, task->path);
        return;
    }
    snprintf(name, sizeof(name), "/proc/%d/fd/%ld", task->tid, fd);
    int known = stat(name, &st) == 0;
    if (known && S_ISFIFO(st.st_mode))
        say('O', task, "a FIFO");
    if (known && S_ISDIR(st.st_mode))
        say('D', task, task->path);
    else if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC) &&
             (task->existed || !(flags & O_CREAT)))
        say('R', task, task->path);
    else if ((flags & O_TRUNC) || !task->existed)
        say('W', task, task->path);
    else
        say('A', task, task->path);
}

/* A watched call has ended. */
static void leave(struct task *task)
{
    struct __ptrace_syscall_info info;
    const struct call *call = task->call;
    if (!call || ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_EXIT)
        return;
    long result = info.exit.rval;
    if (call->what == MOVE) {
        moves++;
        if (task->path)
            say(info.exit.is_error && is_absent(-result) ? 'E' : 'S', task, task->path);
        return;
    }
    if (call->path < 0 && call->what != FCHANGE) {
        if (result >= 0)
            say('O', task, call->what == CONNECT ? "a connection" : "a call that cannot be followed");
        return;
    }
    if (!task->path) {
        if (call->what == LINK && task->other && !info.exit.is_error)
            named(task, task->other); /* of a file that had no name */
        return;
    }
    if (info.exit.is_error && call->what == MKDIR && result == -EEXIST) {
        say('m', task, task->path);
        return;
    }
    if (info.exit.is_error) {
        /* Of a rename or link that fails it is not known which side was absent: both are told. */
        if (is_absent(-result))
            say('E', task, task->path);
        else
            say('S', task, task->path);
        if (task->other)
            say('S', task, task->other);
        return;
    }
    switch (call->what) {
    case OPEN: case OPEN2: case CREAT: opened(task, result); break;
    case RENAME:
        say('R', task, task->path);
        say('U', task, task->path);
        if (task->other)
            named(task, task->other);
        if (task->other && is_folder(task->other))
            say('V', task, "a folder that is renamed");
        break;
    case REMOVE: say(task->flags & AT_REMOVEDIR ? 'K' : 'U', task, task->path); break;
    case RMDIR: say('K', task, task->path); break;
    case LINK:
        say('R', task, task->path);
        if (task->other)
            say_two('H', task, task->path, task->other);
        break;
    case MAKE:
        if (!is_regular(task->path))
            say('O', task, "a FIFO or a device");
        /* fall through */
    case SYMLINK: named(task, task->path); break;
    case MKDIR: say('M', task, task->path); break;
    case CHANGE:
        /* A link itself: who changes it has seen it, and it is then another. */
        if (call->flags == NOFOLLOW || task->flags & AT_SYMLINK_NOFOLLOW) {
            struct stat st;
            if (lstat(task->path, &st) == 0 && S_ISLNK(st.st_mode)) {
                say('R', task, task->path);
                named(task, task->path);
                break;
            }
        }
        /* fall through */
    case FCHANGE: say('A', task, task->path); break;
    default: break;
    }
}

#define LIBC (3ULL << 31)

/* What else a new program is given: descriptors beyond the first three, its umask, signals and limits,
 * the processors that it may use and how it is scheduled, its execution domain (personality(2)). */
static void inherited(const struct task *task)
{
    char name[64], line[256], given[4096];
    snprintf(name, sizeof(name), "/proc/%d/fd", task->tid);
    DIR *folder = opendir(name);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (atoi(entry->d_name) > 2) {
            snprintf(name, sizeof(name), "fd/%d", atoi(entry->d_name));
            char *where = link_of(task->tid, name);
            say('f', task, where);
            free(where);
        }
    if (folder)
        closedir(folder);
    snprintf(name, sizeof(name), "/proc/%d/status", task->tid);
    FILE *file = fopen(name, "re");
    unsigned mask = 0;
    unsigned long long held = 0, ignored = 0;
    while (file && fgets(line, sizeof(line), file)) {
        sscanf(line, "Umask: %o", &mask);
        sscanf(line, "SigBlk: %llx", &held);
        sscanf(line, "SigIgn: %llx", &ignored);
    }
    if (file)
        fclose(file);
    /* libc keeps 32 and 33 for itself, and its posix_spawn() leaves them ignored. */
    size_t size = snprintf(given, sizeof(given), "%o %llx %llx ", mask, held & ~LIBC, ignored & ~LIBC);
    for (int kind = 0; kind < RLIM_NLIMITS && size < sizeof(given) - 64; kind++) {
        struct rlimit limit = { 0, 0 };
        prlimit(task->tid, kind, NULL, &limit);
        size += snprintf(given + size, sizeof(given) - size, "%lx/%lx ", (long)limit.rlim_cur,
                         (long)limit.rlim_max);
    }
    snprintf(name, sizeof(name), "/proc/%d/personality", task->tid);
    file = fopen(name, "re");
    if (file && fgets(line, sizeof(line), file))
        size += snprintf(given + size, sizeof(given) - size, "%.8s ", line);
    if (file)
        fclose(file);
    size += snprintf(given + size, sizeof(given) - size, "%d %d %ld ",
                     getpriority(PRIO_PROCESS, task->tid), sched_getscheduler(task->tid),
                     syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, task->tid));
    snprintf(name, sizeof(name), "/proc/%d/oom_score_adj", task->tid);
    file = fopen(name, "re");
    if (file && fgets(line, sizeof(line), file))
        size += snprintf(given + size, sizeof(given) - size, "%.5s ", line);
    if (file)
        fclose(file);
    unsigned char processors[1024] = { 0 };
    long known = syscall(SYS_sched_getaffinity, task->tid, sizeof(processors), processors);
    for (long i = 0; i < known && size < sizeof(given) - 4; i++)
        size += snprintf(given + size, sizeof(given) - size, "%02x", processors[i]);
    say('u', task, given);
}

/* The kernel reads these for a new program: the interpreters of scripts, and the loader of a program. */
static void interpreters(const struct task *task, const char *program)
{
    char *path = strdup(program);
    for (int depth = 0; path && depth < 6; depth++) {
        char head[4096];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof(head) - 1, 0);
        if (fd >= 0)
            close(fd);
        head[size < 0 ? 0 : size] = 0;
        free(path);
        path = NULL;
        if (size > 2 && head[0] == '#' && head[1] == '!') {
            char *word = head + 2 + strspn(head + 2, " \t");
            word[strcspn(word, " \t\n")] = 0;
            path = absolute(task, word);
        } else if (size > (ssize_t)sizeof(ElfW(Ehdr)) && memcmp(head, ELFMAG, SELFMAG) == 0) {
            const ElfW(Ehdr) *elf = (const void *)head;
            for (unsigned i = 0; i < elf->e_phnum; i++) {
                const ElfW(Phdr) *part = (const void *)(head + elf->e_phoff + i * sizeof(*part));
                if ((const char *)(part + 1) > head + size)
                    break;
                if (part->p_type == PT_INTERP && part->p_offset < (size_t)size) {
                    path = absolute(task, head + part->p_offset);
                    break;
                }
            }
        }
        if (path)
            say('R', task, path);
    }
    free(path);
}

static void executed(struct task *task)
{
    static const char *const proc[] = { "exe", "cwd", "fd/0", "fd/1", "fd/2" };
    static const char kinds[] = "Xc012";
    if (task->path)
        say('R', task, task->path);
    for (int i = 0; i < 5; i++) {
        char *where = link_of(task->tid, proc[i]);
        if (i == 0 && where[0] == '?')
            say('O', task, "a program that may not be looked into");
        say(kinds[i], task, where);
        if (i == 0 && task->path)
            say('x', task, task->path);
        if (i == 0 && (!task->path || strcmp(where, task->path))) /* an interpreter, also of a descriptor */
            say('R', task, where);
        free(where);
    }
    copy_proc('a', task, "cmdline");
    copy_proc('e', task, "environ");
    inherited(task);
    if (task->path)
        interpreters(task, task->path);
    forget_call(task);
}

static void born(struct task *parent, int event)
{
    unsigned long tid = 0;
    char text[32];
    ptrace(PTRACE_GETEVENTMSG, parent->tid, 0L, &tid);
    struct task *child = find(tid);
    if (!child)
        child = add(tid);
    child->known = 1;
    pid_t group = event == PTRACE_EVENT_CLONE ? group_of(tid) : (pid_t)tid;
    struct task *leader = group == (pid_t)tid ? NULL : find(group);
    if (leader) {
        child->serial = leader->serial;
        child->thread = 1;
    } else {
        child->serial = ++serials;
        snprintf(text, sizeof(text), "%lu", parent->serial);
        say('F', child, text);
    }
    if (child->held) {
        child->held = 0;
        restart(child->tid, PTRACE_CONT, 0);
    }
}

/* Which calls stop.  fstat() is newfstatat() of no path with AT_EMPTY_PATH and nothing else: two stops
 * of five, that would tell nothing.  Whether there is a path is not to be seen from here: with AT_FDCWD
 * there must be one; a program that gives one, a descriptor and this flag alone has not been met. */
static int filter(void)
{
    struct sock_filter code[CALLS + 14];
    const unsigned char trace = CALLS + 4; /* from behind the sixth line to the last */
    size_t n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 0, trace + 4);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 0, 4);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, args[3]));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AT_EMPTY_PATH, 0, trace);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, args[0]));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)AT_FDCWD,
                                             trace - 2, trace - 3);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, KNOWN, trace - 3, 0);
    for (size_t i = 0; i < CALLS; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].nr,
                                                 CALLS - i, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = { n, code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void stopped(pid_t tid, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;
    struct task *task = find(tid);
    if (!task)
        task = add(tid);
    switch (event) {
    case PTRACE_EVENT_STOP:
        if (!task->known)
            task->held = 1;
        else if (signal == SIGTRAP)
            restart(tid, PTRACE_CONT, 0);
        else
            restart(tid, PTRACE_LISTEN, 0);
        return;
    case PTRACE_EVENT_SECCOMP:
        restart(tid, enter(task) ? PTRACE_SYSCALL : PTRACE_CONT, 0);
        return;
    case PTRACE_EVENT_EXEC: {
        /* A thread that executes takes the place of its process's first; its own number ends. */
        unsigned long before = tid;
        ptrace(PTRACE_GETEVENTMSG, tid, 0L, &before);
        struct task *thread = (pid_t)before == tid ? NULL : find(before);
        if (thread) {
            forget_call(task);
            task->path = thread->path;
            thread->path = NULL;
            drop(thread);
        }
        executed(task);
        restart(tid, PTRACE_CONT, 0);
        return;
    }
    case PTRACE_EVENT_FORK: case PTRACE_EVENT_VFORK: case PTRACE_EVENT_CLONE:
        born(task, event);
        restart(tid, PTRACE_CONT, 0);
        return;
    default:
        if (signal == (SIGTRAP | 0x80)) {
            leave(task);
            forget_call(task);
            signal = 0;
        }
        restart(tid, PTRACE_CONT, signal);
    }
}

int main(int argc, char **argv)
{
    int gate[2], status, code = CANNOT;
    /* When who watches is killed, so is the watcher, and with it (EXITKILL) the whole build. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc < 5 || !(out = fopen(argv[1], "we")) || pipe2(gate, O_CLOEXEC))
        return CANNOT;
    pid_t root = fork();
    if (root < 0)
        return CANNOT;
    if (root == 0) {
        char go;
        close(gate[1]);
        if (read(gate[0], &go, 1) != 1 || chdir(argv[2]) || filter())
            _exit(CANNOT);
        execv(argv[3], argv + 4);
        _exit(127);
    }
    close(gate[0]);
    if (ptrace(PTRACE_SEIZE, root, 0L,
               (long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC |
                      PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                      PTRACE_O_EXITKILL))) {
        kill(root, SIGKILL);
        return CANNOT;
    }
    struct task *first = add(root);
    first->known = 1;
    first->serial = ++serials;
    if (write(gate[1], "g", 1) != 1)
        return CANNOT;
    close(gate[1]);
    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0 && errno == EINTR)
            continue;
        if (tid < 0)
            break;
        if (WIFSTOPPED(status)) {
            stopped(tid, status);
            continue;
        }
        int ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        struct task *task = find(tid);
        if (task) {
            char text[32];
            snprintf(text, sizeof(text), "%d", ended);
            if (!task->thread)
                say('Q', task, text);
            drop(task);
        }
        if (tid == root) {
            /* As without a watcher, what is left in the background is not waited for: it is killed. */
            code = ended;
            for (int i = 0; i < BUCKETS; i++)
                for (task = tasks[i]; task; task = task->next)
                    say('V', task, "left running");
            break;
        }
    }
    record('Z', 0, "", 0);
    return fclose(out) ? CANNOT : code;
}
