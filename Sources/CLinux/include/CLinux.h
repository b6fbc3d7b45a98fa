// SPDX-License-Identifier: Apache-2.0
//
// What Swift cannot see of the C library and the kernel: variadic calls, function-like macros, and
// headers that Glibc's module leaves out. Nothing here decides anything.
#ifndef NEARSIDE_CLINUX_H
#define NEARSIDE_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

static inline int CLinux_open(const char *path, int flags, mode_t mode) {
    return open(path, flags | O_CLOEXEC, mode);
}

static inline int CLinux_setns_network(int descriptor) { return setns(descriptor, CLONE_NEWNET); }

static inline int CLinux_unshare_network(void) { return unshare(CLONE_NEWNET); }

static inline uint32_t CLinux_major(uint64_t device) { return major(device); }
static inline uint32_t CLinux_minor(uint64_t device) { return minor(device); }

/// 1 when the descriptor is a namespace file, 0 when it is something else, -1 with errno set.
static inline int CLinux_is_namespace(int descriptor) {
    struct statfs status;
    if (fstatfs(descriptor, &status) != 0) return -1;
    return status.f_type == NSFS_MAGIC;
}

/// A descriptor that becomes readable when one of SIGTERM and SIGINT arrives; both are blocked for
/// the calling thread and every thread it starts from now on.
static inline int CLinux_termination_descriptor(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0) return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// Sends bytes and, when descriptor is not -1, that descriptor with the first of them.
static inline ssize_t CLinux_send(int socket, const void *bytes, size_t count, int descriptor) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

/// Receives bytes and at most one descriptor, which is -1 when none came. More than one cannot come:
/// the control buffer has room for a single one, and the kernel closes what does not fit.
static inline ssize_t CLinux_receive(int socket, void *bytes, size_t count, int *descriptor) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    *descriptor = -1;
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len >= CMSG_LEN(sizeof(int)))
            memcpy(descriptor, CMSG_DATA(header), sizeof(int));
    }
    return received;
}

/// Fills in the address of a socket file; -1 when the path does not fit with its final zero.
static inline int CLinux_unix_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) return -1;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    return 0;
}

static inline int CLinux_bind_unix(int socket, const struct sockaddr_un *address) {
    return bind(socket, (const struct sockaddr *)address, sizeof *address);
}

static inline int CLinux_connect_unix(int socket, const struct sockaddr_un *address) {
    return connect(socket, (const struct sockaddr *)address, sizeof *address);
}

/// Takes a connection; close-on-exec.
static inline int CLinux_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC); }

/// The target of a symbolic link, as readlink(2).
static inline ssize_t CLinux_readlink(const char *path, void *buffer, size_t size) {
    return readlink(path, (char *)buffer, size);
}

static inline int CLinux_bind_netlink(int socket, uint32_t groups) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    return bind(socket, (const struct sockaddr *)&address, sizeof address);
}

/// The process that holds the other end of a connected unix socket: its user id, or -1.
static inline int64_t CLinux_peer_user(int socket) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return -1;
    return credentials.uid;
}

// Newer than the headers of Debian 12.
#ifndef IFLA_GSO_IPV4_MAX_SIZE
#define IFLA_GSO_IPV4_MAX_SIZE 63
#define IFLA_GRO_IPV4_MAX_SIZE 64
#endif

#endif
