// SPDX-License-Identifier: Apache-2.0
// seccomp PROFILE PROGRAM ARGUMENT...: runs a program under an OCI seccomp profile (JSON), as a container runtime does.
//
// Of a profile it takes what ours have: a default action SCMP_ACT_ERRNO, and names with SCMP_ACT_ALLOW. libseccomp is opened at run
// time, since its headers need not be there.
#include <ctype.h>
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

int main(int count, char **arguments) {
    if (count < 3) return fail("usage: seccomp PROFILE PROGRAM ARGUMENT...");
    void *library = dlopen("libseccomp.so.2", RTLD_NOW);
    if (!library) return fail("libseccomp.so.2 is missing");
    void *(*init)(uint32_t) = (void *(*)(uint32_t))dlsym(library, "seccomp_init");
    int (*resolve)(const char *) = (int (*)(const char *))dlsym(library, "seccomp_syscall_resolve_name");
    int (*add)(void *, uint32_t, int, unsigned) = (int (*)(void *, uint32_t, int, unsigned))dlsym(library, "seccomp_rule_add");
    int (*load)(void *) = (int (*)(void *))dlsym(library, "seccomp_load");
    if (!init || !resolve || !add || !load) return fail("libseccomp.so.2 lacks a function");
    FILE *file = fopen(arguments[1], "r");
    static char text[1 << 16];
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (size == 0 || size == sizeof text - 1) return fail("the profile cannot be read, or is too long");
    if (!strstr(text, "\"defaultAction\": \"SCMP_ACT_ERRNO\"")) return fail("the profile does not refuse by default");
    char *names = strstr(text, "\"names\"");
    if (!names || strstr(names + 1, "\"names\"")) return fail("the profile has not one list of names");
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
    if (allowed < 20) return fail("the profile allows hardly anything");
    // The program itself is started under the filter, as in a container.
    int status = load(filter);
    if (status != 0) return fail(strerror(-status));
    execv(arguments[2], arguments + 2);
    return fail(strerror(errno));
}
