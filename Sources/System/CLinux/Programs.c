// SPDX-License-Identifier: Apache-2.0

// BPF programs of interfaces.
#define _GNU_SOURCE

#include "CLinux.h"

#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 6.6 and newer; the headers of the build can be older (linux/bpf.h: union bpf_attr, query).
struct hook_query {
    uint32_t interface, hook, flags, attach_flags;
    uint64_t programs;
    uint32_t count, padding;
    uint64_t program_flags, links, link_flags, revision;
};

static int bpf(int command, void *attributes, size_t size) { return (int)syscall(SYS_bpf, command, attributes, size); }

int CLinux_query_hook(uint32_t interface, uint32_t hook, uint32_t *programs, uint32_t *links, uint32_t *count) {
    struct hook_query query = {.interface = interface, .hook = hook, .programs = (uintptr_t)programs, .links = (uintptr_t)links,
                               .count = *count};
    int result = bpf(BPF_PROG_QUERY, &query, sizeof query);
    *count = query.count;
    return result;
}

int CLinux_open_program(uint32_t number, int is_link) {
    uint32_t attributes[3] = {number};
    return bpf(is_link ? BPF_LINK_GET_FD_BY_ID : BPF_PROG_GET_FD_BY_ID, attributes, sizeof attributes);
}

int CLinux_detach_program(uint32_t interface, uint32_t hook, int program) {
    uint32_t attributes[3] = {interface, (uint32_t)program, hook};
    return bpf(BPF_PROG_DETACH, attributes, sizeof attributes);
}

int CLinux_detach_link(int link) {
    uint32_t attributes[1] = {(uint32_t)link};
    return bpf(BPF_LINK_DETACH, attributes, sizeof attributes);
}

int64_t CLinux_next_link(uint32_t number) {
    uint32_t attributes[3] = {number};
    return bpf(BPF_LINK_GET_NEXT_ID, attributes, sizeof attributes) == 0 ? (int64_t)attributes[1] : -1;
}

int CLinux_describe_link(int link, uint32_t *kind, uint32_t *program, uint32_t *interface) {
    // struct bpf_link_info: type, id, prog_id, padding, and for XDP the interface's number.
    uint32_t information[32] = {0};
    struct {
        uint32_t descriptor, size;
        uint64_t information;
    } attributes = {(uint32_t)link, sizeof information, (uintptr_t)information};
    int result = bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof attributes);
    *kind = information[0];
    *program = information[2];
    *interface = information[4];
    return result;
}
