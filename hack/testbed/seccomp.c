// SPDX-License-Identifier: Apache-2.0
// seccomp PROFILE PROGRAM ARGUMENT...: runs a program under an OCI seccomp profile (JSON), as a container runtime does.
//
// Of a profile it takes what ours have: a default action SCMP_ACT_ERRNO, a first list of names with SCMP_ACT_ALLOW, clone without the
// flags of namespaces, and clone3, which cannot be looked into, as if the kernel did not have it. libseccomp is opened at run time,
// since its headers need not be there.
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
    fprintf(stderr, "seccomp: %s\n", what);
    return 126;
}

// seccomp.h: struct scmp_arg_cmp.
struct comparison {
    unsigned argument;
    int operation;
    uint64_t first, second;
};

int main(int count, char **arguments) {
    if (count < 3) return fail("usage: seccomp PROFILE PROGRAM ARGUMENT...");
    void *library = dlopen("libseccomp.so.2", RTLD_NOW);
    if (!library) return fail("libseccomp.so.2 is missing");
    void *(*init)(uint32_t) = (void *(*)(uint32_t))dlsym(library, "seccomp_init");
    int (*resolve)(const char *) = (int (*)(const char *))dlsym(library, "seccomp_syscall_resolve_name");
    int (*add)(void *, uint32_t, int, unsigned) = (int (*)(void *, uint32_t, int, unsigned))dlsym(library, "seccomp_rule_add");
    int (*add_array)(void *, uint32_t, int, unsigned, const struct comparison *) =
        (int (*)(void *, uint32_t, int, unsigned, const struct comparison *))dlsym(library, "seccomp_rule_add_array");
    int (*load)(void *) = (int (*)(void *))dlsym(library, "seccomp_load");
    if (!init || !resolve || !add || !add_array || !load) return fail("libseccomp.so.2 lacks a function");
    FILE *file = fopen(arguments[1], "r");
    static char text[1 << 16];
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (size == 0 || size == sizeof text - 1) return fail("the profile cannot be read, or is too long");
    if (!strstr(text, "\"defaultAction\": \"SCMP_ACT_ERRNO\"")) return fail("the profile does not refuse by default");
    char *names = strstr(text, "\"names\"");
    char *mask = strstr(text, "\"names\": [\"clone\"],");
    if (mask) mask = strstr(mask, "\"SCMP_CMP_MASKED_EQ\", \"value\": ");
    if (!names || !mask || !strstr(mask, "\"errnoRet\": 38,")) return fail("the profile has not the lists that this program knows");
    // SCMP_CMP_MASKED_EQ
    struct comparison flags = {0, 7, strtoull(mask + strlen("\"SCMP_CMP_MASKED_EQ\", \"value\": "), NULL, 10), 0};
    // SCMP_ACT_ERRNO(EPERM), as runtimes answer without errnoRet.
    void *filter = init(0x00050000U | EPERM);
    int allowed = 0;
    for (char *at = strchr(names, '['); at && *at != ']';) {
        char *start = strpbrk(at + 1, "\"]");
        if (!start || *start == ']') break;
        char *end = strchr(start + 1, '"');
        if (!end) return fail("the profile has an open string");
        *end = 0;
        int number = resolve(start + 1);
        // Another architecture's: runtimes pass over it too.
        if (number >= 0 && add(filter, 0x7fff0000U, number, 0) == 0) allowed++;
        at = end;
    }
    if (flags.first == 0 || add_array(filter, 0x7fff0000U, resolve("clone"), 1, &flags) != 0) return fail("clone cannot be filtered");
    if (add(filter, 0x00050000U | ENOSYS, resolve("clone3"), 0) != 0) return fail("clone3 cannot be filtered");
    if (allowed < 20) return fail("the profile allows hardly anything");
    // The program itself is started under the filter, as in a container.
    int status = load(filter);
    if (status != 0) return fail(strerror(-status));
    execv(arguments[2], arguments + 2);
    return fail(strerror(errno));
}
