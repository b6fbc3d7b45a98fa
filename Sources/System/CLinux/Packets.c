// SPDX-License-Identifier: Apache-2.0

// Sockets of DHCP clients.
#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int CLinux_packet_socket(int index, int protocol) {
    int descriptor = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    // Accepts only unfragmented UDP over IPv4 to port 68 (RFC 2131). Offsets are relative to the IP packet.
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 6),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 4, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),       BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0x40000),
        BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_fprog filter = {.len = sizeof code / sizeof code[0], .filter = code};
    int yes = 1;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = index};
    if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 &&
        setsockopt(descriptor, SOL_SOCKET, SO_LOCK_FILTER, &yes, sizeof yes) == 0 &&
        bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0)
        return descriptor;
    int code_of_error = errno;
    close(descriptor);
    errno = code_of_error;
    return -1;
}

// struct sockaddr_ll has room for 8 bytes of an address; the kernel reads as many as the interface's addresses have (20 for InfiniBand).
union link_address {
    struct sockaddr_ll address;
    char room[sizeof(struct sockaddr_ll) + 32];
};

ssize_t CLinux_send_packet(int socket, const void *bytes, size_t count, int index, int protocol, const void *link, size_t length) {
    union link_address target;
    memset(&target, 0, sizeof target);
    if (length > 32) {
        errno = EINVAL;
        return -1;
    }
    target.address.sll_family = AF_PACKET;
    target.address.sll_protocol = htons((uint16_t)protocol);
    target.address.sll_ifindex = index;
    target.address.sll_halen = (unsigned char)length;
    memcpy((char *)&target + offsetof(struct sockaddr_ll, sll_addr), link, length);
    size_t size = offsetof(struct sockaddr_ll, sll_addr) + length;
    if (size < sizeof target.address) size = sizeof target.address;
    return sendto(socket, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&target, (socklen_t)size);
}

ssize_t CLinux_receive_packet(int socket, void *bytes, size_t count, void *link, size_t *length) {
    union link_address source;
    socklen_t size = sizeof source;
    ssize_t received = recvfrom(socket, bytes, count, 0, (struct sockaddr *)&source, &size);
    if (received < 0) return received;
    size_t most = size > offsetof(struct sockaddr_ll, sll_addr) ? size - offsetof(struct sockaddr_ll, sll_addr) : 0;
    *length = source.address.sll_halen;
    if (*length > most) *length = most;
    if (*length > 32) *length = 32;
    memcpy(link, (char *)&source + offsetof(struct sockaddr_ll, sll_addr), *length);
    return received;
}

int CLinux_port_socket(int family, int port, const char *interface, int is_sink) {
    int descriptor = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -1;
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_fprog filter = {.len = 1, .filter = nothing};
    int yes = 1;
    union {
        struct sockaddr address;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } own;
    memset(&own, 0, sizeof own);
    own.address.sa_family = (sa_family_t)family;
    if (family == AF_INET6) own.v6.sin6_port = htons((uint16_t)port);
    else own.v4.sin_port = htons((uint16_t)port);
    if ((family != AF_INET6 || setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0) &&
        (!is_sink || setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0) &&
        setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) == 0 &&
        bind(descriptor, &own.address, family == AF_INET6 ? sizeof own.v6 : sizeof own.v4) == 0)
        return descriptor;
    int code_of_error = errno;
    close(descriptor);
    errno = code_of_error;
    return -1;
}

ssize_t CLinux_send_v6(int socket, const void *bytes, size_t count, const uint8_t address[16], int port, int index) {
    struct sockaddr_in6 target = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_scope_id = (uint32_t)index};
    memcpy(&target.sin6_addr, address, 16);
    return sendto(socket, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&target, sizeof target);
}

ssize_t CLinux_receive_v6(int socket, void *bytes, size_t count, uint8_t address[16], int *port) {
    struct sockaddr_in6 source;
    socklen_t size = sizeof source;
    memset(&source, 0, sizeof source);
    ssize_t received = recvfrom(socket, bytes, count, 0, (struct sockaddr *)&source, &size);
    memcpy(address, &source.sin6_addr, 16);
    *port = ntohs(source.sin6_port);
    return received;
}
