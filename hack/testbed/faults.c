// SPDX-License-Identifier: Apache-2.0
//
// Loaded before the C library into a program under test (LD_PRELOAD). At the N-th step that changes something outside of the program, it
// ends, stops or delays the program, or makes the step fail. NEARSIDE_FAULTS names a file with five integers, shared with the test:
// action, number of the step, error, steps so far, and 1 after the action.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OFF, KILL_BEFORE, KILL_AFTER, STOP_BEFORE, STOP_AFTER, FAIL, REPLACE_ANSWER, DISK_FULL, COUNT, DELAY };

struct control { volatile int mode, step, error, steps, fired; };
static struct control *control;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("NEARSIDE_FAULTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *memory = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED) control = memory;
    close(file);
}

/// Counts a step, and returns 1 if it is the chosen one.
static int is_due(void) {
    if (!control || control->mode == OFF) return 0;
    int step = __sync_add_and_fetch(&control->steps, 1);
    if (step != control->step) return 0;
    control->fired = 1;
    // In this mode the error is a delay in milliseconds.
    if (control->mode == DELAY) usleep(control->error * 1000);
    return control->mode;
}

static void strike(int signal) { kill(getpid(), signal); }

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define STEP(is_file, call)                                                                                        \
    do {                                                                                                           \
        int due = is_due();                                                                                        \
        if (control && (is_file) && control->mode == DISK_FULL && control->fired) { errno = ENOSPC; return -1; }   \
        if (due == KILL_BEFORE) strike(SIGKILL);                                                                   \
        if (due == STOP_BEFORE) strike(SIGSTOP);                                                                   \
        if (due == FAIL) { errno = control->error; return -1; }                                                    \
        __typeof__(call) result = call;                                                                            \
        if (due == KILL_AFTER) strike(SIGKILL);                                                                    \
        if (due == STOP_AFTER) strike(SIGSTOP);                                                                    \
        return result;                                                                                             \
    } while (0)

int rename(const char *from, const char *to) { REAL(rename); STEP(0, real(from, to)); }
int unlink(const char *path) { REAL(unlink); STEP(0, real(path)); }
int fsync(int file) { REAL(fsync); STEP(1, real(file)); }
int setns(int descriptor, int type) { REAL(setns); STEP(0, real(descriptor, type)); }

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    if (!(flags & O_CREAT)) return real(path, flags, mode);
    STEP(1, real(path, flags, mode));
}

static int is_netlink(int socket) {
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK;
}

ssize_t send(int socket, const void *bytes, size_t count, int flags) {
    REAL(send);
    if (!is_netlink(socket)) return real(socket, bytes, count, flags);
    STEP(0, real(socket, bytes, count, flags));
}

/// The kernel performed the request, but the answer reports an error.
static void replace_answer(void *bytes, ssize_t size) {
    struct nlmsghdr *header = bytes;
    if (size < (ssize_t)(sizeof *header + sizeof(int))) return;
    header->nlmsg_type = NLMSG_ERROR;
    *(int *)NLMSG_DATA(header) = -control->error;
}

#define ANSWER_STEP(socket, call, first)                                                                           \
    do {                                                                                                           \
        if (!control || control->mode == OFF || !is_netlink(socket)) return call;                                  \
        int due = is_due();                                                                                        \
        if (due == KILL_BEFORE) strike(SIGKILL);                                                                   \
        if (due == STOP_BEFORE) strike(SIGSTOP);                                                                   \
        if (due == FAIL) { errno = control->error; return -1; }                                                    \
        __typeof__(call) size = call;                                                                              \
        if (due == REPLACE_ANSWER) first;                                                                          \
        if (due == KILL_AFTER) strike(SIGKILL);                                                                    \
        if (due == STOP_AFTER) strike(SIGSTOP);                                                                    \
        return size;                                                                                               \
    } while (0)

ssize_t recv(int socket, void *bytes, size_t count, int flags) {
    REAL(recv);
    ANSWER_STEP(socket, real(socket, bytes, count, flags), replace_answer(bytes, size));
}

int recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    REAL(recvmmsg);
    ANSWER_STEP(
        socket, real(socket, messages, count, flags, timeout),
        if (size > 0) replace_answer(messages[0].msg_hdr.msg_iov->iov_base, messages[0].msg_len));
}
