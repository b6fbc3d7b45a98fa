// SPDX-License-Identifier: Apache-2.0
//
// Wrappers for parts of the C library and the kernel that Swift cannot import: variadic calls,
// function-like macros, GNU extensions, and headers that the Glibc module omits. They decide nothing.
#ifndef NEARSIDE_CLINUX_H
#define NEARSIDE_CLINUX_H

#include <linux/ethtool_netlink.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

int CLinux_open(const char *path, int flags, mode_t mode);
/// setns(2) and unshare(2) for network namespaces; both change the calling thread only.
int CLinux_setns_network(int descriptor);
int CLinux_unshare_network(void);

/// A descriptor that becomes readable when one of SIGTERM and SIGINT arrives; both are blocked for
/// the calling thread and every thread it starts from now on.
int CLinux_termination_descriptor(void);

/// Sends bytes and, when descriptor is not -1, that descriptor with the first of them.
ssize_t CLinux_send(int socket, const void *bytes, size_t count, int descriptor);

/// Receives bytes and at most one descriptor, which is -1 when none came. Of several the first is kept: the kernel closes what does not
/// fit the control buffer, and what does is closed here.
ssize_t CLinux_receive(int socket, void *bytes, size_t count, int *descriptor);

/// Receives the netlink datagrams that are there, 8 at most, each into its room, without waiting. How many, or -1 and EAGAIN; their sizes,
/// which are above the room for those that did not fit, and 0 for those that another process has sent: in a pod's namespace the pod's
/// own processes can.
int CLinux_receive_datagrams(int socket, void *bytes, size_t room, unsigned count, size_t *sizes);

/// Fills in the address of a socket file; -1 when the path does not fit with its final zero.
int CLinux_unix_address(const char *path, struct sockaddr_un *address);
int CLinux_bind_unix(int socket, const struct sockaddr_un *address);
int CLinux_connect_unix(int socket, const struct sockaddr_un *address);

/// The user who made the other end of a connection (SO_PEERCRED); -1 with errno when the kernel does not tell.
int64_t CLinux_peer_user(int socket);

/// Opens a file below an open folder for writing, close-on-exec: no part of the path leaves the folder or is a link of any kind
/// (openat2(2), Linux 5.6). -1 with errno.
int CLinux_open_beneath(int folder, const char *path);

/// Takes a connection; close-on-exec.
int CLinux_accept(int socket);

/// The target of a symbolic link, as readlink(2).
ssize_t CLinux_readlink(const char *path, void *buffer, size_t size);

int CLinux_bind_netlink(int socket, uint32_t groups);

/// Opens a file below an open folder, reads once, and closes it: the whole of a file of sysfs or procfs
/// that fits a page. The number of bytes, or minus errno. A pipe in its place does not hold us up.
ssize_t CLinux_read_at(int folder, const char *name, void *buffer, size_t size);

/// The target of a symbolic link below an open folder; its length, or minus errno.
ssize_t CLinux_readlink_at(int folder, const char *name, void *buffer, size_t size);

/// A folder for the two calls above; O_PATH, so it needs no right to list.
int CLinux_open_folder(const char *path);

/// Firmware version of an interface of this namespace as its driver tells it (ETHTOOL_GDRVINFO), with a
/// final zero; -1 when there is none. The socket is any.
int CLinux_firmware_version(int socket, const char *interface, char version[32]);

/// ioctl(2) with the structure that a request of SIOC* takes for an interface of this namespace (netdevice(7)); -1 with errno.
int CLinux_interface_call(int socket, unsigned long request, const char *interface, void *data);

/// The descriptors, user and limits of a program that parses what strangers send. It has nothing else.
struct CLinux_confinement {
    /// The network namespace it is in.
    int network;
    /// Its user and group, without other groups and without any capability, now or later.
    uid_t user;
    gid_t group;
    /// Bytes of address space, and seconds of processor time.
    uint64_t memory, seconds;
    /// The program's descriptors 0, 1, 2, ...: 8 at most.
    const int *descriptors;
    unsigned count;
};

/// Starts a program. It is killed when the calling thread ends, needs no files and can write none, and starts no other program. It ends
/// with status 127 when any of that cannot be had. CAP_SETUID, CAP_SETGID and CAP_SETPCAP take its privileges, and CAP_KILL ends it.
pid_t CLinux_spawn_confined(const char *path, char *const arguments[], char *const environment[],
                            const struct CLinux_confinement *confinement);
/// Keeps other processes of the same user out of this one (PR_SET_DUMPABLE).
int CLinux_be_undumpable(void);

/// A packet socket (packet(7), without link-layer headers) of an interface of this thread's namespace that gets DHCP's packets for clients.
int CLinux_packet_socket(int index, int protocol);
ssize_t CLinux_send_packet(int socket, const void *bytes, size_t count, int index, int protocol, const void *link, size_t length);
/// The sender's link-layer address has at most 32 bytes.
ssize_t CLinux_receive_packet(int socket, void *bytes, size_t count, void *link, size_t *length);
/// A UDP socket of this thread's namespace, bound to a port of one interface. A sink gets nothing, but the kernel does not answer that the
/// port is closed.
int CLinux_port_socket(int family, int port, const char *interface, int is_sink);
ssize_t CLinux_send_v6(int socket, const void *bytes, size_t count, const uint8_t address[16], int port, int index);
ssize_t CLinux_receive_v6(int socket, void *bytes, size_t count, uint8_t address[16], int *port);

/// pidfd_open(2): can be read when the process has ended; close-on-exec.
int CLinux_process_descriptor(pid_t process);

/// Numbers of the programs on a hook of an interface of this thread's namespace, in their order, and of the links that hold them
/// there, 0 for none. `count` says how many there is room for, and then how many there are; ENOSPC when that is more (bpf(2), BPF_PROG_QUERY).
int CLinux_query_hook(uint32_t interface, uint32_t hook, uint32_t *programs, uint32_t *links, uint32_t *count);
/// A descriptor of a program or a link, by its number; close-on-exec.
int CLinux_open_program(uint32_t number, int is_link);
int CLinux_detach_program(uint32_t interface, uint32_t hook, int program);
int CLinux_detach_link(int link);
/// The number of the next link after this one, of all that there are; -1 with ENOENT behind the last.
int64_t CLinux_next_link(uint32_t number);
/// Describes a link: its kind (BPF_LINK_TYPE_XDP is 6), its program, and for XDP the interface it is on.
int CLinux_describe_link(int link, uint32_t *kind, uint32_t *program, uint32_t *interface);

/// sysfs of this thread's network namespace, mounted nowhere: a folder that can be written, which lasts as long as the descriptor. Needs CAP_SYS_ADMIN and Linux 5.2.
int CLinux_mount_sysfs(void);
/// The inode number of what a path below a folder leads to; 0 when there is none.
uint64_t CLinux_inode_at(int folder, const char *path);

/// Puts a filter (seccomp(2)) on the calling thread and all that it starts, for good: calls that reach the host beyond its network fail with
/// EPERM (mounts, other processes, modules, keys, BPF programs but their removal, namespaces but those of networks). Needs CAP_SYS_ADMIN or
/// no_new_privs.
int CLinux_refuse_host_calls(void);
/// Likewise, but all calls fail that a DHCP client with open sockets does not need: it opens nothing, and makes no memory executable.
int CLinux_allow_client_calls(void);

#endif
