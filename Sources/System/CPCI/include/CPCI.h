// SPDX-License-Identifier: Apache-2.0
//
// libpci: names of devices by their ids, and configuration space.
#ifndef NEARSIDE_CPCI_H
#define NEARSIDE_CPCI_H

#include <pci/pci.h>
#include <stdint.h>

/// Opens libpci for look-ups by name; no bus is scanned. NULL when it cannot be had. The database is
/// id_file, or the distribution's own when that is NULL.
struct pci_access *CPCI_open_names(const char *id_file);

/// Opens libpci for the functions below a /sys/bus/pci, wherever that is; no bus is scanned.
struct pci_access *CPCI_open_bus(const char *path);

/// Reads the ACS control register of a function: 1 when it has one, 0 when it has none, -1 when its
/// configuration space cannot be read beyond the first 64 bytes.
int CPCI_access_control(
    struct pci_access *access, int domain, int bus, int device, int function, uint16_t *control);

void CPCI_close(struct pci_access *access);

/// Writes the name of a vendor and device into the buffer; 0 when the database has none.
int CPCI_name(struct pci_access *access, char *buffer, int size, int vendor, int device);

/// The name of the vendor alone, or, with a device, of the device alone; 0 when the database has none. device is -1 for the
/// vendor.
int CPCI_part_name(struct pci_access *access, char *buffer, int size, int vendor, int device);

#endif
