// SPDX-License-Identifier: Apache-2.0

#include "CPCI.h"

#include <setjmp.h>
#include <stddef.h>

// libpci's default error handler ends the process. Ours jumps back to the call that failed; only
// frames of libpci lie between.
static __thread jmp_buf failure;

static __attribute__((noreturn)) void fail(char *format, ...) {
    (void)format;
    longjmp(failure, 1);
}

static void ignore(char *format, ...) { (void)format; }

struct pci_access *CPCI_open_names(const char *id_file) {
    struct pci_access *access = pci_alloc();
    if (access == NULL) return NULL;
    access->error = fail;
    access->warning = ignore;
    access->debug = ignore;
    if (setjmp(failure) != 0) return NULL;
    if (id_file != NULL) pci_set_name_list_path(access, (char *)id_file, 0);
    return access;
}

void CPCI_close(struct pci_access *access) { pci_cleanup(access); }

int CPCI_name(struct pci_access *access, char *buffer, int size, int vendor, int device) {
    if (setjmp(failure) != 0) return 0;
    char *name = pci_lookup_name(
        access, buffer, size, PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS, vendor, device);
    return name != NULL && name[0] != 0;
}
