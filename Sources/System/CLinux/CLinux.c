// SPDX-License-Identifier: Apache-2.0

// Swift reads the header, and builds the C library's module without GNU extensions. Only this file uses
// them.
#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int CLinux_open(const char *path, int flags, mode_t mode) {
    return open(path, flags | O_CLOEXEC, mode);
}

int CLinux_setns_network(int descriptor) { return setns(descriptor, CLONE_NEWNET); }

int CLinux_unshare_network(void) { return unshare(CLONE_NEWNET); }

int CLinux_termination_descriptor(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0) return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

ssize_t CLinux_send(int socket, const void *bytes, size_t count, int descriptor) {
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

ssize_t CLinux_receive(int socket, void *bytes, size_t count, int *descriptor) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    // CMSG_SPACE has room for two descriptors on machines of 64 bits, as it counts the padding.
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = CMSG_LEN(sizeof(int))};
    *descriptor = -1;
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t length = header->cmsg_len - CMSG_LEN(0);
        for (size_t offset = 0; offset + sizeof(int) <= length; offset += sizeof(int)) {
            int came;
            memcpy(&came, CMSG_DATA(header) + offset, sizeof came);
            if (*descriptor < 0) *descriptor = came;
            else close(came);
        }
    }
    return received;
}

int CLinux_receive_datagrams(int socket, void *bytes, size_t room, unsigned count, size_t *sizes) {
    struct mmsghdr messages[8];
    struct iovec parts[8];
    struct sockaddr_nl senders[8];
    if (count > 8) count = 8;
    memset(messages, 0, sizeof messages);
    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct iovec){.iov_base = (char *)bytes + i * room, .iov_len = room};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &senders[i];
        messages[i].msg_hdr.msg_namelen = sizeof senders[i];
    }
    int received = recvmmsg(socket, messages, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
    for (int i = 0; i < received; i++) {
        bool is_kernel = messages[i].msg_hdr.msg_namelen == sizeof senders[i] && senders[i].nl_pid == 0;
        sizes[i] = is_kernel ? messages[i].msg_len : 0;
    }
    return received;
}

int CLinux_unix_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) return -1;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    return 0;
}

int CLinux_bind_unix(int socket, const struct sockaddr_un *address) {
    return bind(socket, (const struct sockaddr *)address, sizeof *address);
}

int CLinux_connect_unix(int socket, const struct sockaddr_un *address) {
    return connect(socket, (const struct sockaddr *)address, sizeof *address);
}

int CLinux_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC); }

ssize_t CLinux_readlink(const char *path, void *buffer, size_t size) {
    return readlink(path, (char *)buffer, size);
}

int CLinux_bind_netlink(int socket, uint32_t groups) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    return bind(socket, (const struct sockaddr *)&address, sizeof address);
}

ssize_t CLinux_read_at(int folder, const char *name, void *buffer, size_t size) {
    int file = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0) return -errno;
    ssize_t count = read(file, buffer, size);
    if (count < 0) count = -errno;
    close(file);
    return count;
}

ssize_t CLinux_readlink_at(int folder, const char *name, void *buffer, size_t size) {
    ssize_t count = readlinkat(folder, name, buffer, size);
    return count < 0 ? -errno : count;
}

int CLinux_open_folder(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

int CLinux_interface_call(int socket, unsigned long request, const char *interface, void *data) {
    struct ifreq call = {.ifr_data = data};
    size_t length = strlen(interface);
    if (length >= sizeof call.ifr_name) {
        errno = ENODEV;
        return -1;
    }
    memcpy(call.ifr_name, interface, length);
    return ioctl(socket, request, &call);
}

int CLinux_firmware_version(int socket, const char *interface, char version[32]) {
    struct ethtool_drvinfo information = {.cmd = ETHTOOL_GDRVINFO};
    if (CLinux_interface_call(socket, SIOCETHTOOL, interface, &information) != 0) return -1;
    memcpy(version, information.fw_version, 32);
    version[31] = 0;
    return 0;
}

// Drops all privileges irrevocably; false on a failure. Calls only async-signal-safe functions.
static int confine(const struct CLinux_confinement *confinement) {
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return 0;
    if (setgroups(0, NULL) != 0 || setresgid(confinement->group, confinement->group, confinement->group) != 0 ||
        setresuid(confinement->user, confinement->user, confinement->user) != 0)
        return 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capset, &header, none) != 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 0;
    const struct {
        int resource;
        rlim_t limit;
    } limits[] = {{RLIMIT_CORE, 0},
                  {RLIMIT_FSIZE, 0},
                  {RLIMIT_NPROC, 0},
                  {RLIMIT_MSGQUEUE, 0},
                  {RLIMIT_MEMLOCK, 0},
                  {RLIMIT_NOFILE, 16},
                  {RLIMIT_AS, confinement->memory},
                  {RLIMIT_CPU, confinement->seconds}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit = {limits[i].limit, limits[i].limit};
        if (setrlimit(limits[i].resource, &limit) != 0) return 0;
    }
    return 1;
}

pid_t CLinux_spawn_confined(const char *path, char *const arguments[], char *const environment[],
                            const struct CLinux_confinement *confinement) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) return child;
    // Only async-signal-safe functions until exec: other threads can hold locks.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int descriptors[8];
    if (confinement->count > sizeof descriptors / sizeof descriptors[0]) _exit(127);
    // Move the descriptors above the numbers that dup2 assigns.
    for (unsigned i = 0; i < confinement->count; i++)
        if ((descriptors[i] = fcntl(confinement->descriptors[i], F_DUPFD_CLOEXEC, 8)) < 0) _exit(127);
    if (setns(confinement->network, CLONE_NEWNET) != 0 || chdir("/") != 0 || !confine(confinement)) _exit(127);
    for (unsigned i = 0; i < confinement->count; i++)
        if (dup2(descriptors[i], (int)i) < 0) _exit(127);
    // The parent of this program may have left descriptors without close-on-exec.
    if (syscall(SYS_close_range, confinement->count, ~0U, 0) != 0)
        for (int i = (int)confinement->count; i < 1024; i++) close(i);
    // A change of user resets PR_SET_PDEATHSIG, so this call is the last.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent) execve(path, arguments, environment);
    _exit(127);
}

int CLinux_be_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int CLinux_process_descriptor(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int CLinux_mount_sysfs(void) {
    // linux/mount.h: FSOPEN_CLOEXEC, FSCONFIG_CMD_CREATE, FSMOUNT_CLOEXEC; nosuid, nodev, noexec.
    int context = (int)syscall(SYS_fsopen, "sysfs", 1);
    if (context < 0) return -1;
    int mount = syscall(SYS_fsconfig, context, 6, NULL, NULL, 0) == 0 ? (int)syscall(SYS_fsmount, context, 1, 0xe) : -1;
    int code = errno;
    close(context);
    errno = code;
    return mount;
}

uint64_t CLinux_inode_at(int folder, const char *path) {
    struct stat status;
    return fstatat(folder, path, &status, 0) == 0 ? status.st_ino : 0;
}

int64_t CLinux_peer_user(int socket) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (int64_t)peer.uid : -1;
}

int CLinux_open_beneath(int folder, const char *path) {
    struct open_how how = {
        .flags = O_WRONLY | O_CLOEXEC | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}
