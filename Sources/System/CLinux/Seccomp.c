// SPDX-License-Identifier: Apache-2.0

// Filters of system calls (seccomp(2)) that a program installs for itself.
#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the architecture has no filter of system calls"
#endif

// The lower half of an argument: both architectures are little-endian.
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n))

struct program {
    struct sock_filter code[192];
    unsigned short count;
};

static void add(struct program *program, struct sock_filter instruction) {
    if (program->count < sizeof program->code / sizeof program->code[0]) program->code[program->count] = instruction;
    program->count++;
}

static void load(struct program *program, unsigned offset) {
    add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void finish(struct program *program, unsigned result) {
    add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, result));
}

// Returns the result if the loaded word equals the value.
static void on(struct program *program, unsigned value, unsigned result) {
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    finish(program, result);
}

// Allows a call if an argument has one of these values; any other value fails.
static void allow_values(struct program *program, unsigned number, int argument, const unsigned *values, unsigned count) {
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, (unsigned char)(2 * count + 2)));
    load(program, ARGUMENT(argument));
    for (unsigned i = 0; i < count; i++) on(program, values[i], SECCOMP_RET_ALLOW);
    finish(program, SECCOMP_RET_ERRNO | EPERM);
}

// Fails a call if an argument has one of these bits.
static void refuse_bits(struct program *program, unsigned number, int argument, unsigned bits) {
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4));
    load(program, ARGUMENT(argument));
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
    finish(program, SECCOMP_RET_ERRNO | EPERM);
    finish(program, SECCOMP_RET_ALLOW);
}

static void begin(struct program *program) {
    program->count = 0;
    load(program, offsetof(struct seccomp_data, arch));
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    finish(program, SECCOMP_RET_ERRNO | EPERM);
    load(program, offsetof(struct seccomp_data, nr));
    // Calls of x32, which have other numbers (asm/unistd.h, __X32_SYSCALL_BIT).
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
    finish(program, SECCOMP_RET_ERRNO | EPERM);
}

static int install(struct program *program) {
    if (program->count > sizeof program->code / sizeof program->code[0]) {
        errno = E2BIG;
        return -1;
    }
    struct sock_fprog filter = {.len = program->count, .filter = program->code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

// CLONE_NEWNS to CLONE_NEWNET (linux/sched.h); unshare(2) alone has others.
static const unsigned namespaces = 0x7e020000;

int CLinux_refuse_host_calls(void) {
    static const int refused[] = {
        SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_move_mount,
        SYS_open_tree, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_init_module, SYS_finit_module,
        SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_open_by_handle_at,
        SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_mknodat, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl,
        SYS_syslog, SYS_settimeofday, SYS_clock_settime, SYS_sethostname, SYS_setdomainname,
#ifdef SYS_mount_setattr
        SYS_mount_setattr,
#endif
#ifdef SYS_kexec_file_load
        SYS_kexec_file_load,
#endif
#ifdef SYS_pidfd_getfd
        SYS_pidfd_getfd,
#endif
#ifdef SYS_mknod
        SYS_mknod,
#endif
#ifdef SYS_iopl
        SYS_iopl, SYS_ioperm,
#endif
    };
    static const unsigned network[] = {CLONE_NEWNET};
    static const unsigned commands[] = {BPF_PROG_DETACH,      BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_QUERY,
                                        BPF_LINK_GET_FD_BY_ID, BPF_LINK_GET_NEXT_ID,  BPF_LINK_DETACH};
    struct program program;
    begin(&program);
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) on(&program, (unsigned)refused[i], SECCOMP_RET_ERRNO | EPERM);
    // A filter cannot read the flags of clone3; on ENOSYS the C library uses clone.
    on(&program, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    refuse_bits(&program, SYS_clone, 0, namespaces);
    allow_values(&program, SYS_setns, 1, network, 1);
    allow_values(&program, SYS_unshare, 0, network, 1);
    allow_values(&program, SYS_bpf, 0, commands, sizeof commands / sizeof commands[0]);
    finish(&program, SECCOMP_RET_ALLOW);
    return install(&program);
}

int CLinux_allow_client_calls(void) {
    static const int allowed[] = {
        SYS_read, SYS_readv, SYS_write, SYS_writev, SYS_close, SYS_ppoll, SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg,
        SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_exit, SYS_exit_group, SYS_rt_sigreturn,
        SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex,
        SYS_getrandom, SYS_getpid, SYS_gettid, SYS_tgkill, SYS_restart_syscall, SYS_fstat, SYS_lseek,
#ifdef SYS_poll
        SYS_poll,
#endif
    };
    struct program program;
    begin(&program);
    for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0]; i++) on(&program, (unsigned)allowed[i], SECCOMP_RET_ALLOW);
    refuse_bits(&program, SYS_mmap, 2, PROT_EXEC);
    refuse_bits(&program, SYS_mprotect, 2, PROT_EXEC);
    finish(&program, SECCOMP_RET_ERRNO | EPERM);
    return install(&program);
}
