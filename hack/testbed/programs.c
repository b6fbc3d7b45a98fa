// SPDX-License-Identifier: Apache-2.0
//
// programs attach INTERFACE: attaches empty programs to an interface of this network namespace, like agents of a node:
// two programs and a link to the ingress hook, one to the egress hook, and one XDP program. Prints a line, and keeps the link until it ends.
// programs link INTERFACE: attaches an XDP program by a link, which netlink cannot detach. Prints a line, and keeps the link until it ends.
// programs count INTERFACE: prints the number of programs on the two hooks.
// programs timestamping INTERFACE [TX RX]: sets and prints the driver's timestamping, in the numbers of linux/net_tstamp.h.
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/net_tstamp.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 6.6 and newer (linux/bpf.h).
enum { ingress = 46, egress = 47, xdp = 37 };

static int bpf(int command, const void *attributes, size_t size) { return (int)syscall(SYS_bpf, command, attributes, size); }

static void need(int result, const char *what) {
    if (result >= 0) return;
    fprintf(stderr, "programs: cannot %s: %s\n", what, strerror(errno));
    exit(errno == EINVAL ? 3 : 1);
}

static int load(uint32_t type, int value) {
    struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value}, {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr attributes = {.prog_type = type, .insns = (uintptr_t)code, .insn_cnt = 2, .license = (uintptr_t) "GPL"};
    int program = bpf(BPF_PROG_LOAD, &attributes, sizeof attributes);
    need(program, "load a program");
    return program;
}

static void attach(int interface, uint32_t hook, int program) {
    uint32_t attributes[4] = {interface, program, hook, 0};
    need(bpf(BPF_PROG_ATTACH, attributes, sizeof attributes), "attach a program");
}

static void attach_link(int interface, uint32_t hook, int program) {
    uint32_t attributes[8] = {program, interface, hook};
    need(bpf(BPF_LINK_CREATE, attributes, sizeof attributes), "attach a link");
}

static void attach_xdp(int interface, int program) {
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
        struct nlattr xdp, descriptor;
        int32_t program;
        struct nlattr mode;
        uint32_t flags;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_SETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .link = {.ifi_index = interface},
        .xdp = {.nla_len = 20, .nla_type = IFLA_XDP | NLA_F_NESTED},
        .descriptor = {.nla_len = 8, .nla_type = IFLA_XDP_FD},
        .program = program,
        .mode = {.nla_len = 8, .nla_type = IFLA_XDP_FLAGS},
        .flags = XDP_FLAGS_SKB_MODE,
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[256];
    } answer;
    int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    need(netlink, "open a socket");
    need((int)send(netlink, &request, sizeof request, 0), "ask for XDP");
    need((int)recv(netlink, &answer, sizeof answer, 0), "hear of XDP");
    errno = -answer.error.error;
    need(answer.error.error, "attach to XDP");
}

static uint32_t count(int interface, uint32_t hook) {
    uint32_t attributes[16] = {interface, hook};
    need(bpf(BPF_PROG_QUERY, attributes, sizeof attributes), "count programs");
    return attributes[6];
}

static int timestamping(char **word, int sets) {
    struct hwtstamp_config config = {0};
    struct ifreq request = {.ifr_data = (char *)&config};
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    need(descriptor, "open a socket");
    strncpy(request.ifr_name, word[2], sizeof request.ifr_name - 1);
    if (sets) {
        config.tx_type = atoi(word[3]);
        config.rx_filter = atoi(word[4]);
        need(ioctl(descriptor, SIOCSHWTSTAMP, &request), "set timestamping");
    }
    need(ioctl(descriptor, SIOCGHWTSTAMP, &request), "read timestamping");
    printf("timestamping: flags %d, tx %d, rx %d\n", config.flags, config.tx_type, config.rx_filter);
    return 0;
}

int main(int words, char **word) {
    if ((words == 3 || words == 5) && strcmp(word[1], "timestamping") == 0) return timestamping(word, words == 5);
    int interface = words == 3 ? (int)if_nametoindex(word[2]) : 0;
    if (interface == 0) {
        fprintf(stderr, "usage: programs attach|link|count|timestamping INTERFACE\n");
        return 64;
    }
    if (strcmp(word[1], "attach") == 0) {
        attach(interface, ingress, load(BPF_PROG_TYPE_SCHED_CLS, 0));
        attach(interface, ingress, load(BPF_PROG_TYPE_SCHED_CLS, -1));
        attach_link(interface, ingress, load(BPF_PROG_TYPE_SCHED_CLS, -1));
        attach(interface, egress, load(BPF_PROG_TYPE_SCHED_CLS, -1));
        attach_xdp(interface, load(BPF_PROG_TYPE_XDP, XDP_PASS));
    }
    if (strcmp(word[1], "link") == 0) attach_link(interface, xdp, load(BPF_PROG_TYPE_XDP, XDP_PASS));
    printf("%u in, %u out\n", count(interface, ingress), count(interface, egress));
    fflush(stdout);
    if (strcmp(word[1], "count") != 0) pause();
    return 0;
}
