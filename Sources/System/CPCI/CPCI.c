// SPDX-License-Identifier: Apache-2.0

#include "CPCI.h"

#include <setjmp.h>
#include <stddef.h>

// libpci's default error handler ends the process. This handler jumps back to the failed call; only
// frames of libpci are between them.
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

struct pci_access *CPCI_open_bus(const char *path) {
    struct pci_access *access = pci_alloc();
    if (access == NULL) return NULL;
    access->error = fail;
    access->warning = ignore;
    access->debug = ignore;
    access->method = PCI_ACCESS_SYS_BUS_PCI;
    if (setjmp(failure) != 0) return NULL;
    pci_set_param(access, "sysfs.path", (char *)path);
    pci_init(access);
    return access;
}

int CPCI_access_control(
    struct pci_access *access, int domain, int bus, int device, int function, uint16_t *control) {
    if (setjmp(failure) != 0) return -1;
    struct pci_dev *found = pci_get_dev(access, domain, bus, device, function);
    if (found == NULL) return -1;
    int result = -1;
    unsigned char byte;
    // The first byte that only root can read.
    if (pci_read_block(found, 0x40, &byte, 1) != 0) {
        struct pci_cap *capability = pci_find_cap(found, PCI_EXT_CAP_ID_ACS, PCI_CAP_EXTENDED);
        result = capability != NULL;
        if (result) *control = pci_read_word(found, capability->addr + PCI_ACS_CTRL);
    }
    pci_free_dev(found);
    return result;
}

void CPCI_close(struct pci_access *access) {
    // The library can report an error here too, so the jump buffer must be of this call.
    if (setjmp(failure) == 0) pci_cleanup(access);
}

int CPCI_name(struct pci_access *access, char *buffer, int size, int vendor, int device) {
    if (setjmp(failure) != 0) return 0;
    char *name = pci_lookup_name(
        access, buffer, size, PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS, vendor, device);
    return name != NULL && name[0] != 0;
}

int CPCI_part_name(struct pci_access *access, char *buffer, int size, int vendor, int device) {
    if (setjmp(failure) != 0) return 0;
    int what = device < 0 ? PCI_LOOKUP_VENDOR : PCI_LOOKUP_DEVICE;
    char *name = pci_lookup_name(access, buffer, size, what | PCI_LOOKUP_NO_NUMBERS, vendor, device);
    return name != NULL && name[0] != 0;
}
