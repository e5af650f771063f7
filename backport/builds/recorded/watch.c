/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch LOG CWD GIVEN EXE ARG0 [ARG...]: run a command and log what every process of it does with files.
 *
 * GIVEN is empty, or a file whose texts each end with a zero byte: which of the command's standard output (1)
 * and standard error (2) are /dev/null, and then its environment, exactly as it is.
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
 *      f (another one that it inherits), u (who it is, its umask, the signals that it ignores or holds back, its
 *      limits, the processors that it may use, how it is scheduled, its execution domain), r (the path as it
 *      was asked for, where that is relative: the kernel hands it to the interpreter of a script).
 *      Of u, "=" means: as the first
 *   k  what a file holds that is about to be written over, if that is little (its path, "MODE NS" with its
 *      date, its content)
 *   R  opened for reading, executed, or link read       W  made anew, or emptied and written
 *   A  changed in place                                 U  removed
 *   N  a name that now stands for another file         L  it is a link (two texts: path, target)
 *   H  a second name of a file (two texts: old, new)
 *   S  asked about, and there                           E  asked for, and absent
 *   P  the same, but it learnt only that it is there, and may be read and written
 *   D  directory opened                                 M  directory made
 *   B  directory renamed, which had this name
 *   K  directory removed                                m  to be made, and there already
 *   V  something that may not happen again, or otherwise: names moved, a process left running
 *   O  something that cannot be followed: what this process looked at is not known
 *   G  a signal is sent to another process (its serial; 0: to one that is none of them)
 *   T  something that shows whether a process is watched: it may have gone another way by it
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
#include <linux/fs.h>
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
#include <sys/un.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
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
            CHANGE, MOVE, CONNECT, LOCK, OPAQUE, RMDIR, FCHANGE, SETTING, KEPT, TELLING, BEAR, SIGNAL };

struct call {
    int nr;
    enum what what;
    int at;    /* argument that holds the directory descriptor (CONNECT: the address), or -1 */
    int path;  /* argument that holds the path, or -1 */
    int flags; /* argument that holds the flags (CONNECT: the message), or -1 */
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
    { SYS_connect, CONNECT, 1, -1, -1 },
    { SYS_sendto, CONNECT, 4, -1, -1 },
    { SYS_sendmsg, CONNECT, -1, -1, 1 },
    { SYS_sendmmsg, CONNECT, -1, -1, 1 },
    { SYS_flock, LOCK, -1, -1, -1 },
    { SYS_fcntl, LOCK, -1, -1, -1 },
    { SYS_open_by_handle_at, OPAQUE, -1, -1, -1 },
    { SYS_io_uring_setup, OPAQUE, -1, -1, -1 },
    { SYS_bind, OPAQUE, -1, -1, -1 },
    { SYS_shmget, OPAQUE, -1, -1, -1 },
    { SYS_msgget, OPAQUE, -1, -1, -1 },
    { SYS_mq_open, OPAQUE, -1, -1, -1 },
    { SYS_inotify_add_watch, OPAQUE, -1, -1, -1 },
    { SYS_ptrace, TELLING, -1, -1, -1 },
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
    { SYS_setpriority, SETTING, -1, -1, -1 },
    { SYS_sched_setscheduler, SETTING, -1, -1, -1 },
    { SYS_sched_setparam, SETTING, -1, -1, -1 },
    { SYS_sched_setattr, SETTING, -1, -1, -1 },
    { SYS_sched_setaffinity, SETTING, -1, -1, -1 },
    { SYS_ioprio_set, SETTING, -1, -1, -1 },
    { SYS_setrlimit, SETTING, -1, -1, -1 },
    { SYS_prlimit64, SETTING, -1, -1, -1 },
    { SYS_personality, SETTING, -1, -1, -1 },
    { SYS_set_mempolicy, KEPT, -1, -1, -1 },
    { 446 /* landlock_restrict_self */, KEPT, -1, -1, -1 },
    { SYS_prctl, KEPT, -1, -1, -1 },
    { SYS_clone, BEAR, -1, -1, -1 },
    { SYS_clone3, BEAR, -1, -1, -1 },
    { SYS_kill, SIGNAL, -1, -1, -1 },
    { SYS_tkill, SIGNAL, -1, -1, -1 },
    { SYS_tgkill, SIGNAL, -1, -1, -1 },
    { SYS_rt_sigqueueinfo, SIGNAL, -1, -1, -1 },
    { SYS_rt_tgsigqueueinfo, SIGNAL, -1, -1, -1 },
    { SYS_pidfd_send_signal, SIGNAL, -1, -1, -1 },
    { SYS_ioctl, OPAQUE, -1, -1, -1 },
};

/* Calls that are watched only with certain arguments; of an argument the lower 32 bits are compared. */
enum match { IS, NOT, HAS };
struct choice {
    int nr;
    int argument;
    enum match match;
    unsigned value;
};

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
                    CLONE_NEWPID | CLONE_NEWNET)

static const struct choice choices[] = {
    { SYS_prlimit64, 2, NOT, 0 },            /* it sets one */
    { SYS_personality, 0, NOT, 0xffffffff }, /* it sets one */
    { SYS_prctl, 0, IS, PR_GET_SECCOMP },
    { SYS_prctl, 0, IS, PR_SET_TIMERSLACK },
    { SYS_prctl, 0, IS, PR_SET_TSC },
    { SYS_prctl, 0, IS, PR_SET_THP_DISABLE },
    { SYS_prctl, 0, IS, PR_SET_SPECULATION_CTRL },
    { SYS_prctl, 0, IS, 62 /* PR_SCHED_CORE */ },
    { SYS_prctl, 0, IS, 65 /* PR_SET_MDWE */ },
    { SYS_clone, 0, HAS, NAMESPACES | CLONE_UNTRACED },
    { SYS_sendto, 4, NOT, 0 }, /* an address is given */
    /* What others hold is in the answer. */
    { SYS_fcntl, 1, IS, F_GETLK },
    { SYS_fcntl, 1, IS, F_SETLK },
    { SYS_fcntl, 1, IS, F_OFD_GETLK },
    { SYS_fcntl, 1, IS, F_OFD_SETLK },
    { SYS_fcntl, 1, IS, F_SETLEASE },
    { SYS_fcntl, 1, IS, F_NOTIFY },
    /* What a descriptor that is open for reading can change. */
    { SYS_ioctl, 1, IS, FS_IOC_SETFLAGS },
    { SYS_ioctl, 1, IS, FS_IOC32_SETFLAGS },
    { SYS_ioctl, 1, IS, FS_IOC_FSSETXATTR },
    { SYS_ioctl, 1, IS, FS_IOC_SETVERSION },
    { SYS_ioctl, 1, IS, 0x40806685 /* FS_IOC_ENABLE_VERITY */ },
    { SYS_ioctl, 1, IS, 0x800c6613 /* FS_IOC_SET_ENCRYPTION_POLICY */ },
};
#define CHOICES (sizeof(choices) / sizeof(choices[0]))
/* The last call that this table knows to be there; which of those up to it say nothing is settled. */
#define KNOWN 462
static const struct call unknown = { -1, OPAQUE, -1, -1, -1 }; /* later, or of another table (x32) */
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* What a task has asked for lately: a compiler asks for the folders above each header, again and again. */
#define SEEN 128

struct task {
    struct task *next;
    pid_t tid;
    unsigned long serial;
    int held;   /* stopped at birth until its parent's event tells whose child it is */
    int known;  /* that event has come */
    int thread; /* not its process's first */
    const struct call *call;
    unsigned long flags;
    unsigned long mode; /* of access(2), open(2) or mkdir(2) */
    unsigned long lock; /* what fcntl(2) is asked for; -1: it is flock(2) */
    unsigned long asks; /* where F_GETLK has its answer put */
    int existed;
    char *old; /* a `k`, until the call has succeeded */
    size_t old_size;
    char *path;
    char *other;
    char *asked; /* of a program: its path as it was asked for, where that is relative */
    char *folder; /* the process's directory, as of the move number `moves` */
    unsigned long moves;
    struct seen { char *path; char kind; unsigned long since; } seen[SEEN];
};

static struct task *tasks[BUCKETS];
static unsigned long serials;
static unsigned long settings; /* changes of what a process hands on to what it starts, by any */
static unsigned long moves; /* of any process from one directory to another */
static unsigned long changes; /* of files, by any */
static FILE *out;

static void record(char kind, unsigned long serial, const void *bytes, size_t size)
{
    fprintf(out, "%c %lu %zu\n", kind, serial, size);
    fwrite(bytes, 1, size, out);
    fputc('\n', out);
}

static void say(char kind, const struct task *task, const char *text)
{
    changes += strchr("SEPRDG", kind) == NULL;
    record(kind, task->serial, text, strlen(text));
}

#define MOST_OLD 16384

/* Hold what a file has in it that a call may write over: a command that does so can be run again from there. */
static void hold_old(struct task *task, const char *path, int follow)
{
    struct stat st;
    /* A FIFO that is opened here lets go who waits for a reader. */
    if (fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return;
    char *text = NULL;
    int head = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size <= MOST_OLD &&
        flistxattr(fd, NULL, 0) <= 0 &&
        (head = asprintf(&text, "%s%c%o %lld%c", path, 0, st.st_mode,
                         st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec, 0)) > 0) {
        task->old = realloc(text, head + MOST_OLD);
        if (!task->old)
            abort();
        ssize_t size = pread(fd, task->old + head, MOST_OLD, 0);
        task->old_size = head + (size < 0 ? 0 : size);
        if (size != st.st_size) {
            free(task->old);
            task->old = NULL;
        }
    }
    close(fd);
}

static void say_old(const struct task *task)
{
    if (task->old)
        record('k', task->serial, task->old, task->old_size);
}

static void say_two(char kind, const struct task *task, const char *one, const char *other)
{
    char *both = NULL;
    int size = asprintf(&both, "%s%c%s", one, 0, other);
    if (size < 0)
        abort();
    changes++;
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
    free(task->asked);
    free(task->old);
    task->path = task->other = task->asked = task->old = NULL;
    task->call = NULL;
}

static void drop(struct task *gone)
{
    struct task **at = &tasks[gone->tid % BUCKETS];
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    forget_call(gone);
    for (size_t i = 0; i < SEEN; i++)
        free(gone->seen[i].path);
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

#define LONGEST 4097

/* A text argument, which is `text` of LONGEST; NULL where there is none (or it is empty). */
static char *text_of(struct task *task, unsigned long from, char *text)
{
    size_t size = 0;
    pid_t tid = task->tid;
    while (size < LONGEST - 1) {
        size_t step = 256 - (from + size) % 256; /* never across a page that may not be there */
        if (step > LONGEST - 1 - size)
            step = LONGEST - 1 - size;
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
    text[LONGEST - 1] = 0;
    return text[0] ? text : NULL;
}

/* A path argument made absolute; NULL where there is none (or it is empty: a descriptor is meant). */
static char *path_of(struct task *task, int directory, unsigned long from)
{
    char text[LONGEST], *whole;
    pid_t tid = task->tid;
    if (!text_of(task, from, text))
        return NULL;
    if (text[0] == '/')
        return strdup(text);
    if (task->call->what == EXEC)
        task->asked = strdup(text);
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

/* What proc(5) has to say of who traces a process, or of all that run. */
static int shows_watcher(const char *path)
{
    size_t size = strlen(path);
    return strcmp(path, "/proc") == 0 || strcmp(path, "/proc/") == 0 ||
           (strncmp(path, "/proc/", 6) == 0 && size > 7 && strcmp(path + size - 7, "/status") == 0);
}

/* A name for a descriptor that the process has: a pipe behind it is its own. */
static int is_descriptor(const char *path)
{
    return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/dev/std", 8) == 0 ||
           (strncmp(path, "/proc/", 6) == 0 && strstr(path, "/fd/"));
}

/* A file of the kernel's that sets something when it is written to: not a descriptor, nor a thread's name. */
static int is_setting(const char *path)
{
    size_t size = strlen(path);
    return (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0) && !strstr(path, "/fd/") &&
           (size < 5 || strcmp(path + size - 5, "/comm"));
}

/* A path through proc(5) or /dev/fd: the file that is meant, and whose process it tells of. */
static void see_through(struct task *task, int follow)
{
    int fd = -1, end = 0;
    pid_t other = 0;
    const char *path = task->path;
    if (strncmp(path, "/proc", 5) && strncmp(path, "/dev/", 5))
        return;
    if ((task->call->what == OPEN || task->call->what == OPEN2) && shows_watcher(path))
        say('T', task, path);
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

/* Whether this task has asked for this path in this way when all files were as they are now: then that is in
 * the log. */
static int has_seen(struct task *task, char kind)
{
    unsigned hash = 5381;
    for (const char *at = task->path; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    struct seen *seen = &task->seen[(hash ^ kind) % SEEN];
    if (seen->path && seen->kind == kind && seen->since == changes && strcmp(seen->path, task->path) == 0)
        return 1;
    free(seen->path);
    *seen = (struct seen){ strdup(task->path), kind, changes };
    return 0;
}

/* What proc(5) says is judged by its path (`see_through`): a path that leads there by another way is not. */
static void meet(const struct task *task, const struct stat *st)
{
    static dev_t proc;
    static int known;
    struct stat there;
    const char *path = task->path;
    size_t size = strlen(path);
    if (!known++ && stat("/proc/self", &there) == 0)
        proc = there.st_dev;
    if (!proc || st->st_dev != proc || strcmp(path, "/etc/mtab") == 0 || strncmp(path, "/dev/fd", 7) == 0)
        return;
    if (strncmp(path, "/proc", 5) || strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") ||
        (size > 3 && (strcmp(path + size - 3, "/..") == 0 || strcmp(path + size - 2, "/.") == 0)))
        say('T', task, path);
}

/* Where a path leads, link by link. */
static char *end_of_links(const char *path)
{
    char target[PATH_MAX], *at = strdup(path);
    for (int depth = 0; depth < 40; depth++) {
        ssize_t size = readlink(at, target, sizeof(target) - 1);
        if (size <= 0)
            break;
        target[size] = 0;
        char *next, *end = strrchr(at, '/');
        if (asprintf(&next, "%.*s%s", target[0] == '/' || !end ? 0 : (int)(end - at) + 1, at, target) < 0)
            abort();
        free(at);
        at = next;
    }
    return at;
}

/* A path that leads nowhere: also what it comes to that is no folder, for another error tells of that; and for
 * who would make something there, the folders that are not there. */
static void say_absent(const struct task *task, const char *path, int error, int making)
{
    struct stat st;
    say('E', task, path);
    if (error != ENOTDIR && !(making && error == ENOENT))
        return;
    char *above = making ? end_of_links(path) : strdup(path), *end;
    while ((end = strrchr(above, '/')) && end > above) {
        *end = 0;
        if (stat(above, &st) == 0 || !is_absent(errno)) {
            if (error == ENOTDIR)
                say('S', task, above);
            break;
        }
        if (making)
            say('E', task, above);
    }
    free(above);
}

/* A call that only looks: told by what is there now.  Returns whether its end matters all the same. */
static int looked(struct task *task)
{
    enum what what = task->call->what;
    unsigned long flags = task->flags;
    struct stat st;
    int follow = 1;
    if (!task->path)
        return 1; /* a program that has no name */
    if (what == LOOK)
        follow = task->call->flags != NOFOLLOW && !(flags & AT_SYMLINK_NOFOLLOW);
    else if (what == LINKREAD)
        follow = 0;
    else if (what != EXEC && (flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_NOFOLLOW)))
        return 1;
    if ((what == LOOK || what == LINKREAD) && has_seen(task, what == LINKREAD ? 'l' : met(task) + follow))
        return 0;
    if (fstatat(AT_FDCWD, task->path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW)) {
        if (errno == ENAMETOOLONG)
            say('O', task, "a path that is too long");
        if (is_absent(errno))
            say_absent(task, task->path, errno, 0);
        else
            say('S', task, task->path);
        return 0;
    }
    meet(task, &st);
    switch (what) {
    case LOOK: say(met(task), task, task->path); return 0;
    case LINKREAD: say(S_ISLNK(st.st_mode) ? 'R' : 'S', task, task->path); return 0;
    case EXEC: return 1;
    default:
        say(S_ISDIR(st.st_mode) ? 'D' : 'R', task, task->path);
        if (S_ISFIFO(st.st_mode) && !is_descriptor(task->path))
            say('O', task, "a FIFO");
        return 0;
    }
}

/* Whether statx(2) is asked in particular for times that no program can set again. */
static int asks_for_times(const struct __ptrace_syscall_info *info)
{
    unsigned long mask = info->seccomp.args[3];
    return info->seccomp.nr == SYS_statx && (mask & (STATX_ATIME | STATX_CTIME | STATX_BTIME)) &&
           (mask & STATX_BASIC_STATS) != STATX_BASIC_STATS;
}

/* Something is sent to an address.  Returns whether its end matters. */
static int addressed(struct task *task, int nr, const __typeof__(((struct __ptrace_syscall_info *)0)->seccomp.args[0]) *args)
{
    struct sockaddr_un address = { 0 };
    unsigned long from = 0, size = 0;
    if (task->call->flags >= 0) {
        struct msghdr message = { 0 };
        peek(task->tid, args[task->call->flags], &message, sizeof(message));
        from = (unsigned long)message.msg_name;
        size = message.msg_namelen;
        if (!from && nr != SYS_sendmmsg)
            return 0; /* to whom it is connected with */
    } else {
        from = args[task->call->at];
        size = args[task->call->at + 1];
    }
    if (size > sizeof(address))
        size = sizeof(address);
    peek(task->tid, from, &address, size);
    if (address.sun_family != AF_UNIX || size <= offsetof(struct sockaddr_un, sun_path) || !address.sun_path[0])
        return 1;
    char path[sizeof(address.sun_path) + 1] = "";
    memcpy(path, address.sun_path, sizeof(address.sun_path));
    task->path = absolute(task, path);
    return 1;
}

/* Whether a lock is free depends on the other processes; so an answer that another holds it is noted. */
static void locked(struct task *task, long result)
{
    if (task->lock == F_SETLEASE || task->lock == F_NOTIFY) {
        if (result >= 0)
            say('O', task, "what others do with a file");
    } else if (task->lock == F_GETLK || task->lock == F_OFD_GETLK) {
        struct flock lock = { .l_type = F_UNLCK };
        peek(task->tid, task->asks, &lock, sizeof(lock));
        if (result >= 0 && lock.l_type != F_UNLCK)
            say('O', task, "a lock that another process has");
    } else if (result == -EAGAIN || result == -EACCES)
        say('O', task, "a lock that another process has");
}

static void say_signal(const struct task *task, unsigned long serial)
{
    char text[32];
    snprintf(text, sizeof(text), "%lu", serial);
    say('G', task, text);
}

/* A signal is sent, or (number 0) it is asked whether it could be.  Of a group, each other process in it gets it. */
static void signalled(const struct task *task, int nr, pid_t to)
{
    pid_t group = to == 0 ? getpgid(task->tid) : to < -1 ? -to : 0;
    if (nr == SYS_pidfd_send_signal || (to <= 0 && group <= 0)) {
        say_signal(task, 0);
        return;
    }
    if (group <= 0) {
        struct task *other = find(group_of(to));
        if (!other || other->serial != task->serial)
            say_signal(task, other ? other->serial : 0);
        return;
    }
    int ours = getpgid(0) == group;
    if (ours)
        say_signal(task, 0);
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct task *other = tasks[i]; other; other = other->next)
            if (!other->thread && other->serial != task->serial && getpgid(other->tid) == group)
                say_signal(task, other->serial);
}

/* A watched call begins.  Returns whether its end matters. */
static int enter(struct task *task)
{
    struct __ptrace_syscall_info info;
    char text[LONGEST];
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
    switch (call->what) {
    case SETTING: settings++; return 0;
    case KEPT:
        settings++;
        if (info.seccomp.nr == SYS_prctl && args[0] == PR_GET_SECCOMP)
            say('T', task, "its filters of system calls");
        else if (info.seccomp.nr != SYS_prctl || args[0] != PR_SET_TIMERSLACK)
            say('V', task, "a setting that what it starts inherits");
        return 0;
    case BEAR: { /* its end is not waited for: the child comes first */
        unsigned long long flags = args[0];
        if (info.seccomp.nr == SYS_clone3 && peek(task->tid, args[0], &flags, sizeof(flags)) < 0)
            return 0; /* the call fails as well */
        if (flags & (CLONE_UNTRACED | NAMESPACES))
            settings++;
        if (flags & CLONE_UNTRACED)
            say('T', task, "a process that cannot be traced");
        if (flags & NAMESPACES)
            say('O', task, "a namespace of its own");
        return 0;
    }
    case SIGNAL: signalled(task, info.seccomp.nr, (pid_t)args[0]); return 0;
    case CONNECT: return addressed(task, info.seccomp.nr, args);
    case TELLING: say('T', task, "whether it can be traced"); return 1;
    case LOCK: task->lock = info.seccomp.nr == SYS_fcntl ? args[1] : (unsigned long)-1;
        task->asks = args[2]; return 1;
    default: break;
    }
    if (call->path >= 0) {
        int directory = call->at < 0 ? AT_FDCWD : (int)args[call->at];
        task->path = path_of(task, directory, args[call->path]);
        if (!task->path && call->at >= 0 &&
            (call->what == CHANGE || call->what == LINK || call->what == EXEC))
            task->path = file_of(task->tid, directory); /* the descriptor itself is meant */
        if (task->path)
            see_through(task, call->what != LINKREAD && call->what != EXEC && call->what != RENAME &&
                                  call->what != REMOVE);
        else if (call->what == LOOK && asks_for_times(&info))
            say('V', task, "it goes by when files were changed or read");
        if (!task->path && call->what != LINK && call->what != EXEC)
            return 0;
    }
    if (call->what == EXEC && call->at >= 0 && (int)args[call->at] != AT_FDCWD &&
        (task->asked || !task->path || !(text_of(task, args[call->path], text))))
        say('V', task, "a program that is started by a descriptor");
    if (call->what == RENAME || call->what == LINK) {
        int far = call->at < 0 ? 1 : 3;
        int directory = call->at < 0 ? AT_FDCWD : (int)args[2];
        task->other = path_of(task, directory, args[far]);
        if (call->what == RENAME && call->flags >= 0 && (args[call->flags] & ~(unsigned long)RENAME_NOREPLACE))
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
    case LOOK:
        if (asks_for_times(&info))
            say('V', task, "it goes by when files were changed or read");
        return looked(task);
    case LINKREAD: case EXEC: return looked(task);
    case OPEN: case OPEN2:
        if (!looked(task))
            return 0;
        /* fall through */
    case CREAT:
        task->existed = access(task->path, F_OK) == 0;
        if (task->existed && task->flags & O_TRUNC)
            hold_old(task, task->path, 1);
        return 1;
    case RENAME:
        if (task->other)
            hold_old(task, task->other, 0);
        return 1;
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
    if (flags & (O_ACCMODE | O_TRUNC) && is_setting(task->path)) {
        settings++;
        say('V', task, "a setting of the kernel's");
    }
    snprintf(name, sizeof(name), "/proc/%d/fd/%ld", task->tid, fd);
    int known = stat(name, &st) == 0;
    if (known)
        meet(task, &st);
    if (known && S_ISFIFO(st.st_mode) && !is_descriptor(task->path))
        say('O', task, "a FIFO");
    if (known && S_ISDIR(st.st_mode))
        say('D', task, task->path);
    else if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC) &&
             (task->existed || !(flags & O_CREAT)))
        say('R', task, task->path);
    else if ((flags & O_TRUNC) || !task->existed) {
        say_old(task);
        say('W', task, task->path);
    } else
        say('A', task, task->path);
}

static void interpreters(const struct task *task, const char *program);

/* Whether a call would make something that is not there. */
static int makes(const struct task *task)
{
    switch (task->call->what) {
    case OPEN: case OPEN2: case CREAT: return (task->flags & O_CREAT) || (task->flags & O_TMPFILE) == O_TMPFILE;
    case SYMLINK: case MAKE: case MKDIR: return 1;
    default: return 0;
    }
}

static char *proc_text(pid_t tid, const char *name, char *text, size_t room);

/* What it was when the command began: another one is a program's own. */
static unsigned first_umask;

static unsigned umask_of(pid_t tid)
{
    char status[8192];
    unsigned mask = first_umask;
    const char *line = strstr(proc_text(tid, "status", status, sizeof(status)), "\nUmask:");
    if (line)
        sscanf(line, " Umask: %o", &mask);
    return mask;
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
    if (call->what == TELLING) {
        if (result >= 0)
            say('O', task, "a call that cannot be followed");
        return;
    }
    if (call->what == MOVE) {
        moves++;
        if (task->path && info.exit.is_error && is_absent(-result))
            say_absent(task, task->path, -result, 0);
        else if (task->path)
            say('S', task, task->path);
        return;
    }
    if (call->what == LOCK) {
        locked(task, result);
        return;
    }
    if (call->path < 0 && call->what != FCHANGE) {
        if (result >= 0)
            say('O', task, call->what == CONNECT ? "a connection" : "a call that cannot be followed");
        else if (task->path && is_absent(-result))
            say_absent(task, task->path, -result, 0);
        else if (task->path)
            say('S', task, task->path);
        return;
    }
    if (!task->path) {
        if (call->what == LINK && task->other && !info.exit.is_error)
            named(task, task->other); /* of a file that had no name */
        return;
    }
    if (call->what == MKDIR && (!info.exit.is_error || result == -EEXIST)) {
        unsigned long mode = task->mode & 07777;
        say(info.exit.is_error ? 'm' : 'M', task, task->path);
        if ((mode != 0777 && mode != 0755 && mode != 0775) || umask_of(task->tid) != first_umask) /* the next run finds the folder, and its mode */
            say('A', task, task->path);
        return;
    }
    if (info.exit.is_error && call->what == EXEC && is_regular(task->path)) {
        say('R', task, task->path); /* what is absent may be its interpreter */
        interpreters(task, task->path);
        return;
    }
    if (info.exit.is_error) {
        /* Of a rename or link that fails it is not known which side was absent: both are told. */
        if (is_absent(-result))
            say_absent(task, task->path, -result, !task->other && makes(task));
        else if (result == -ENOTEMPTY && !task->other)
            say('D', task, task->path);
        else
            say('S', task, task->path);
        if (task->other && is_absent(-result))
            say_absent(task, task->other, -result, 1);
        else if (task->other)
            say('S', task, task->other);
        return;
    }
    switch (call->what) {
    case OPEN: case OPEN2: case CREAT: opened(task, result); break;
    case RENAME:
        say_old(task);
        say('R', task, task->path);
        say('U', task, task->path);
        if (task->other)
            named(task, task->other);
        if (task->other && is_folder(task->other)) {
            say('V', task, "a folder that is renamed");
            say('B', task, task->path);
        }
        if (call->flags >= 0 && task->flags & RENAME_EXCHANGE) {
            named(task, task->path);
            if (task->other && is_folder(task->path)) {
                say('V', task, "a folder that is renamed");
                say('B', task, task->other);
            }
        }
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

/* The text of a small file of proc(5). */
static char *proc_text(pid_t tid, const char *name, char *text, size_t room)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, room - 1);
    if (fd >= 0)
        close(fd);
    text[size < 0 ? 0 : size] = 0;
    return text;
}

static char *line_end(char *line)
{
    char *end = strchr(line, '\n');
    return end ? end : line + strlen(line);
}

/* Of /proc/PID/status what is inherited: libc keeps the signals 32 and 33 for itself, and its posix_spawn()
 * leaves them ignored. */
static size_t status_lines(char *given, size_t room, char *status)
{
    static const char *const wanted[] = { "Umask:", "Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp",
                                          "Speculation", "Cpus_allowed:", "Mems_allowed:", "THP_enabled:" };
    size_t size = 0;
    for (char *line = status, *end; *line; line = *end ? end + 1 : end) {
        unsigned long long set;
        end = line_end(line);
        if (sscanf(line, "SigBlk: %llx", &set) == 1 || sscanf(line, "SigIgn: %llx", &set) == 1)
            size += snprintf(given + size, room - size, "%llx ", set & ~LIBC);
        for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                size += snprintf(given + size, room - size, "%.*s ", (int)(end - line), line);
        if (size >= room / 2)
            break;
    }
    return size;
}

/* What changes only by calls that count as `settings`, by clone3(2), or by what is written to proc(5). */
static void settled(const struct task *task, char *given, size_t room)
{
    static const char *const files[] = { "personality", "oom_score_adj", "coredump_filter", "timerslack_ns" };
    char text[256];
    size_t size = 0;
    for (int kind = 0; kind < RLIM_NLIMITS; kind++) {
        struct rlimit limit = { 0, 0 };
        prlimit(task->tid, kind, NULL, &limit);
        size += snprintf(given + size, room - size, "%lx/%lx ", (long)limit.rlim_cur, (long)limit.rlim_max);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        size += snprintf(given + size, room - size, "%.20s ", proc_text(task->tid, files[i], text, sizeof(text)));
    snprintf(given + size, room - size, "%d %d %ld", getpriority(PRIO_PROCESS, task->tid),
             sched_getscheduler(task->tid), syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, task->tid));
}

/* What else a new program is given: descriptors beyond the first three, and what `u` says. */
static void inherited(const struct task *task)
{
    static char others[2048];
    static unsigned long known = -1UL, repeated;
    static char *first;
    char name[64], status[8192], given[12288], *user = link_of(task->tid, "ns/user");
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
    if (known != settings) {
        settled(task, others, sizeof(others));
        known = settings ? -1UL : 0; /* once something was set, every process may differ */
    }
    size_t size = status_lines(given, sizeof(given) - sizeof(others) - 256,
                               proc_text(task->tid, "status", status, sizeof(status)));
    snprintf(given + size, sizeof(given) - size, "%s %s", others, user);
    free(user);
    if (!first)
        first = strdup(given);
    say('u', task, first && first != given && strcmp(first, given) == 0 && repeated++ ? "=" : given);
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
        struct stat st;
        if (path && stat(path, &st) == 0)
            say('R', task, path);
        else if (path)
            say_absent(task, path, errno, 0);
    }
    free(path);
}

static void executed(struct task *task)
{
    static const char *const proc[] = { "exe", "cwd", "fd/0", "fd/1", "fd/2" };
    static const char kinds[] = "Xc012";
    char *program = task->path ? strdup(task->path) : link_of(task->tid, "exe");
    if (task->path)
        say('R', task, task->path);
    for (int i = 0; i < 5; i++) {
        char *where = link_of(task->tid, proc[i]);
        if (i == 0 && where[0] == '?')
            say('O', task, "a program that may not be looked into");
        say(kinds[i], task, where);
        if (i == 0 && task->path)
            say('x', task, task->path);
        if (i == 0 && task->asked)
            say('r', task, task->asked);
        if (i == 0 && (!task->path || strcmp(where, task->path))) /* an interpreter, also of a descriptor */
            say('R', task, where);
        free(where);
    }
    copy_proc('a', task, "cmdline");
    copy_proc('e', task, "environ");
    inherited(task);
    interpreters(task, program);
    free(program);
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

#define MOST_CODE 400

static struct sock_filter code[MOST_CODE];
static size_t lines;

static void put(unsigned short what, unsigned value, unsigned char yes, unsigned char no)
{
    if (lines == MOST_CODE)
        abort();
    code[lines++] = (struct sock_filter)BPF_JUMP(what, value, yes, no);
}

#define LOAD(field) put(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field), 0, 0)
#define RETURN(what) put(BPF_RET | BPF_K, what, 0, 0)
#define WATCHED RETURN(SECCOMP_RET_TRACE)
#define UNSEEN RETURN(SECCOMP_RET_ALLOW)
/* The next `lines` are for this alone. */
#define IF_EQUAL(value, lines) put(BPF_JMP | BPF_JEQ | BPF_K, value, 0, lines)
#define IF_NOT_EQUAL(value, lines) put(BPF_JMP | BPF_JEQ | BPF_K, value, lines, 0)
#define IF_HAS(value, lines) put(BPF_JMP | BPF_JSET | BPF_K, value, 0, lines)

/* Which calls stop.  fstat() is newfstatat() of no path with AT_EMPTY_PATH and nothing else: two stops
 * of five, that would tell nothing.  Whether there is a path is not to be seen from here: with AT_FDCWD
 * there must be one; a program that gives one, a descriptor and this flag alone has not been met. */
static int filter(void)
{
    LOAD(arch);
    IF_NOT_EQUAL(NATIVE, 1);
    WATCHED;
    LOAD(nr);
    IF_EQUAL(SYS_newfstatat, 7);
    LOAD(args[3]);
    IF_NOT_EQUAL(AT_EMPTY_PATH, 1);
    WATCHED;
    LOAD(args[0]);
    IF_EQUAL((unsigned)AT_FDCWD, 1);
    WATCHED;
    UNSEEN;
    put(BPF_JMP | BPF_JGT | BPF_K, KNOWN, 0, 1);
    WATCHED;
    for (size_t i = 0; i < CHOICES;) {
        size_t end = i;
        while (end < CHOICES && choices[end].nr == choices[i].nr)
            end++;
        IF_EQUAL(choices[i].nr, 3 * (end - i) + 1);
        for (; i < end; i++) {
            LOAD(args[choices[i].argument]);
            switch (choices[i].match) {
            case IS: IF_EQUAL(choices[i].value, 1); break;
            case NOT: IF_NOT_EQUAL(choices[i].value, 1); break;
            case HAS: IF_HAS(choices[i].value, 1); break;
            }
            WATCHED;
        }
        UNSEEN;
    }
    for (size_t i = 0; i < CALLS; i++) {
        IF_EQUAL(calls[i].nr, 1);
        WATCHED;
    }
    UNSEEN;
    struct sock_fprog program = { lines, code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* What GIVEN says: the environment; standard output and error are put in place. */
static char **take_given(const char *name, char **environment)
{
    if (!name[0])
        return environment;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) || st.st_size < 1)
        return NULL;
    char *bytes = malloc(st.st_size), **texts = calloc(st.st_size + 1, sizeof(*texts));
    if (!bytes || !texts || read(fd, bytes, st.st_size) != st.st_size || bytes[st.st_size - 1])
        return NULL;
    close(fd);
    size_t count = 0;
    for (char *at = bytes; at < bytes + st.st_size; at += strlen(at) + 1)
        texts[count++] = at;
    for (const char *at = texts[0]; *at; at++) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, *at - '0') < 0)
            return NULL;
        close(null);
    }
    return texts + 1;
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
            task->asked = thread->asked;
            thread->path = thread->asked = NULL;
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
    first_umask = umask(0);
    umask(first_umask);
    /* When who watches is killed, so is the watcher, and with it (EXITKILL) the whole build. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc < 6 || !(out = fopen(argv[1], "we")) || pipe2(gate, O_CLOEXEC))
        return CANNOT;
    pid_t root = fork();
    if (root < 0)
        return CANNOT;
    if (root == 0) {
        char go;
        close(gate[1]);
        char **given = take_given(argv[3], environ);
        if (!given || read(gate[0], &go, 1) != 1 || chdir(argv[2]) || filter())
            _exit(CANNOT);
        execve(argv[4], argv + 5, given);
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
