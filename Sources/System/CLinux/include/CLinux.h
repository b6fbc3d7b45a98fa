// SPDX-License-Identifier: Apache-2.0
//
// Wrappers for parts of the C library and the kernel that Swift cannot import: variadic calls,
// function-like macros, GNU extensions, and headers that the Glibc module omits. They contain no policy.
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
/// the calling thread and every thread that it starts later.
int CLinux_termination_descriptor(void);

/// Sends bytes and, when descriptor is not -1, that descriptor with the first of them.
ssize_t CLinux_send(int socket, const void *bytes, size_t count, int descriptor);

/// Receives bytes and at most one descriptor; -1 if there is none. Of several descriptors the first is returned, and all others are closed.
ssize_t CLinux_receive(int socket, void *bytes, size_t count, int *descriptor);

/// Receives the queued netlink datagrams, 8 at most, each into its own buffer, without waiting. Returns their number, or -1 and EAGAIN.
/// A size above `room` means a truncated datagram. Size 0 means a datagram of another process, such as one of the pod's processes.
int CLinux_receive_datagrams(int socket, void *bytes, size_t room, unsigned count, size_t *sizes);

/// Fills in the address of a socket file; -1 if the path with its final zero is too long.
int CLinux_unix_address(const char *path, struct sockaddr_un *address);
int CLinux_bind_unix(int socket, const struct sockaddr_un *address);
int CLinux_connect_unix(int socket, const struct sockaddr_un *address);

/// The user id of the peer of a connection (SO_PEERCRED); -1 with errno on a failure.
int64_t CLinux_peer_user(int socket);

/// Opens a file below an open folder for writing, close-on-exec: no part of the path leaves the folder or is a link of any kind
/// (openat2(2), Linux 5.6). -1 with errno.
int CLinux_open_beneath(int folder, const char *path);

/// Accepts a connection; close-on-exec.
int CLinux_accept(int socket);

/// The target of a symbolic link, as readlink(2).
ssize_t CLinux_readlink(const char *path, void *buffer, size_t size);

int CLinux_bind_netlink(int socket, uint32_t groups);

/// Opens a file below an open folder, reads once, and closes it: enough for a file of sysfs or procfs
/// that fits a page. Returns the number of bytes, or minus errno. A pipe does not block.
ssize_t CLinux_read_at(int folder, const char *name, void *buffer, size_t size);

/// The target of a symbolic link below an open folder; its length, or minus errno.
ssize_t CLinux_readlink_at(int folder, const char *name, void *buffer, size_t size);

/// Opens a folder for the two calls above; O_PATH needs no permission to list.
int CLinux_open_folder(const char *path);

/// The firmware version that the driver of an interface of this namespace reports (ETHTOOL_GDRVINFO), with a
/// final zero; -1 if there is none. Any socket is accepted.
int CLinux_firmware_version(int socket, const char *interface, char version[32]);

/// ioctl(2) SIOC* for an interface of this namespace, with the structure of the request (netdevice(7)); -1 with errno.
int CLinux_interface_call(int socket, unsigned long request, const char *interface, void *data);

/// The descriptors, user and limits of a sandboxed program, which parses untrusted input.
struct CLinux_confinement {
    /// Its network namespace.
    int network;
    /// Its user and group; it has no other groups, and can never gain a capability.
    uid_t user;
    gid_t group;
    /// Bytes of address space, and seconds of processor time.
    uint64_t memory, seconds;
    /// The program's descriptors 0, 1, 2, ...: 8 at most.
    const int *descriptors;
    unsigned count;
};

/// Starts a sandboxed program. The kernel kills it when the calling thread ends. It cannot write files or start programs. It exits with
/// status 127 if a restriction fails. The caller needs CAP_SETUID, CAP_SETGID and CAP_SETPCAP, and CAP_KILL to end the program.
pid_t CLinux_spawn_confined(const char *path, char *const arguments[], char *const environment[],
                            const struct CLinux_confinement *confinement);
/// Denies other processes of the same user access to this one (PR_SET_DUMPABLE).
int CLinux_be_undumpable(void);

/// A packet socket (packet(7), without link-layer headers) of an interface of this thread's namespace, for DHCP packets to clients.
int CLinux_packet_socket(int index, int protocol);
ssize_t CLinux_send_packet(int socket, const void *bytes, size_t count, int index, int protocol, const void *link, size_t length);
/// The sender's link-layer address has at most 32 bytes.
ssize_t CLinux_receive_packet(int socket, void *bytes, size_t count, void *link, size_t *length);
/// A UDP socket of this thread's namespace, bound to a port of one interface. A sink receives nothing, but keeps the
/// kernel from reporting a closed port to senders.
int CLinux_port_socket(int family, int port, const char *interface, int is_sink);
ssize_t CLinux_send_v6(int socket, const void *bytes, size_t count, const uint8_t address[16], int port, int index);
ssize_t CLinux_receive_v6(int socket, void *bytes, size_t count, uint8_t address[16], int *port);

/// pidfd_open(2): becomes readable when the process ends; close-on-exec.
int CLinux_process_descriptor(pid_t process);

/// Ids of the programs on a hook of an interface of this thread's namespace, in their order, and of the links that attach them,
/// 0 for none. `count` is the capacity, and on return the number of programs; ENOSPC if it exceeds the capacity (bpf(2), BPF_PROG_QUERY).
int CLinux_query_hook(uint32_t interface, uint32_t hook, uint32_t *programs, uint32_t *links, uint32_t *count);
/// Opens a program or a link by its id; close-on-exec.
int CLinux_open_program(uint32_t number, int is_link);
int CLinux_detach_program(uint32_t interface, uint32_t hook, int program);
int CLinux_detach_link(int link);
/// The id of the next link of the system after this one; -1 with ENOENT after the last.
int64_t CLinux_next_link(uint32_t number);
/// Describes a link: its kind (BPF_LINK_TYPE_XDP is 6), its program, and for XDP its interface.
int CLinux_describe_link(int link, uint32_t *kind, uint32_t *program, uint32_t *interface);

/// A detached mount of sysfs for this thread's network namespace: a writable folder, which exists as long as the descriptor. Needs
/// CAP_SYS_ADMIN and Linux 5.2.
int CLinux_mount_sysfs(void);
/// The inode number of the file at a path below a folder; 0 if there is none.
uint64_t CLinux_inode_at(int folder, const char *path);

/// Installs a permanent filter (seccomp(2)) for the calling thread and its children. Calls that affect the host beyond its network fail
/// with EPERM (mounts, other processes, modules, keys, BPF except detaching programs, all namespaces except network namespaces). Needs
/// CAP_SYS_ADMIN or no_new_privs.
int CLinux_refuse_host_calls(void);
/// Installs a permanent filter that allows only the calls of a DHCP client with open sockets: no opening of files, no executable memory.
int CLinux_allow_client_calls(void);

#endif
