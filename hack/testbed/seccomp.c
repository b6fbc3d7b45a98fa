// SPDX-License-Identifier: Apache-2.0
// seccomp PROFILE PROGRAM ARGUMENT...: runs a program under an OCI seccomp profile (JSON), like a container runtime.
//
// Supports the subset that the profiles of this repository use: the default action SCMP_ACT_ERRNO, and rules with names, at most one
// condition on an argument, and the actions SCMP_ACT_ALLOW and SCMP_ACT_ERRNO. libseccomp is opened at run time, so that its headers are
// not needed.
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

// Returns the end of the object or list that begins here; strings of a profile contain no brackets.
static char *end_of(char *start) {
    int depth = 0;
    for (char *at = start; *at; at++) {
        if (*at == '{' || *at == '[') depth++;
        if ((*at == '}' || *at == ']') && --depth == 0) return at;
    }
    return NULL;
}

// Returns the text after a key of an object, with a terminator; NULL if the object lacks the key.
static char *value_of(char *object, const char *key) {
    char *at = strstr(object, key);
    return at ? at + strlen(key) + strspn(at + strlen(key), " :") : NULL;
}

static int read_condition(char *list, struct comparison *condition) {
    char *index = value_of(list, "\"index\""), *first = value_of(list, "\"value\""), *second = value_of(list, "\"valueTwo\"");
    // SCMP_CMP_EQ and SCMP_CMP_MASKED_EQ
    int operation = strstr(list, "\"SCMP_CMP_EQ\"") ? 4 : strstr(list, "\"SCMP_CMP_MASKED_EQ\"") ? 7 : 0;
    if (!index || !first || !second || !operation || strchr(list, '{') != strrchr(list, '{')) return 0;
    *condition = (struct comparison){(unsigned)strtoul(index, NULL, 10), operation, strtoull(first, NULL, 10), strtoull(second, NULL, 10)};
    return 1;
}

int main(int count, char **arguments) {
    if (count < 3) return fail("usage: seccomp PROFILE PROGRAM ARGUMENT...");
    void *library = dlopen("libseccomp.so.2", RTLD_NOW);
    if (!library) return fail("libseccomp.so.2 is missing");
    void *(*init)(uint32_t) = (void *(*)(uint32_t))dlsym(library, "seccomp_init");
    int (*resolve)(const char *) = (int (*)(const char *))dlsym(library, "seccomp_syscall_resolve_name");
    int (*add)(void *, uint32_t, int, unsigned, const struct comparison *) =
        (int (*)(void *, uint32_t, int, unsigned, const struct comparison *))dlsym(library, "seccomp_rule_add_array");
    int (*load)(void *) = (int (*)(void *))dlsym(library, "seccomp_load");
    if (!init || !resolve || !add || !load) return fail("libseccomp.so.2 lacks a function");
    FILE *file = fopen(arguments[1], "r");
    static char text[1 << 16];
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (size == 0 || size == sizeof text - 1) return fail("the profile cannot be read, or is too long");
    if (!strstr(text, "\"defaultAction\": \"SCMP_ACT_ERRNO\"")) return fail("the profile does not refuse by default");
    char *rules = value_of(text, "\"syscalls\"");
    char *last = rules ? end_of(rules) : NULL;
    if (!last) return fail("the profile has no list of rules");
    // SCMP_ACT_ERRNO(EPERM), the runtimes' answer without errnoRet.
    void *filter = init(0x00050000U | EPERM);
    int allowed = 0;
    for (char *rule = strchr(rules, '{'); rule && rule < last;) {
        char *end = end_of(rule);
        if (!end) return fail("a rule has no end");
        *end = 0;
        char *names = value_of(rule, "\"names\""), *conditions = value_of(rule, "\"args\""), *code = value_of(rule, "\"errnoRet\"");
        int allows = strstr(rule, "\"SCMP_ACT_ALLOW\"") != NULL;
        if (!names || !end_of(names) || (!allows && !strstr(rule, "\"SCMP_ACT_ERRNO\""))) return fail("a rule does not have the expected form");
        uint32_t action = allows ? 0x7fff0000U : 0x00050000U | (code ? (uint32_t)strtoul(code, NULL, 10) : EPERM);
        struct comparison condition;
        if (conditions) {
            char *close = end_of(conditions);
            if (close) *close = 0;
            if (!close || !read_condition(conditions, &condition)) return fail("a condition does not have the expected form");
        }
        char *close = end_of(names);
        for (char *name = strchr(names, '"'); name && name < close;) {
            char *quote = strchr(name + 1, '"');
            if (!quote) return fail("the profile has an open string");
            *quote = 0;
            int number = resolve(name + 1);
            // A system call of another architecture, which runtimes skip too.
            int status = number < 0 ? 0 : add(filter, action, number, conditions ? 1 : 0, &condition);
            if (status != 0) return fail(name + 1);
            if (allows && number >= 0) allowed++;
            name = strchr(quote + 1, '"');
        }
        rule = strchr(end + 1, '{');
    }
    if (allowed < 20) return fail("the profile allows hardly anything");
    // The program is started under the filter, as in a container.
    int status = load(filter);
    if (status != 0) return fail(strerror(-status));
    execv(arguments[2], arguments + 2);
    return fail(strerror(errno));
}
