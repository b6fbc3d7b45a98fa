// SPDX-License-Identifier: Apache-2.0
//
// libpci: names of devices by their ids, and access to configuration space.
#ifndef NEARSIDE_CPCI_H
#define NEARSIDE_CPCI_H

#include <pci/pci.h>
#include <stdint.h>

/// Opens libpci for look-ups of names, without a scan of a bus. NULL on a failure. The database is
/// id_file, or the distribution's database if id_file is NULL.
struct pci_access *CPCI_open_names(const char *id_file);

/// Opens libpci for the functions below a /sys/bus/pci at any path, without a scan of a bus.
struct pci_access *CPCI_open_bus(const char *path);

/// Reads the ACS control register of a function: 1 if it has one, 0 if it has none, -1 if its
/// configuration space is unreadable beyond the first 64 bytes.
int CPCI_access_control(
    struct pci_access *access, int domain, int bus, int device, int function, uint16_t *control);

void CPCI_close(struct pci_access *access);

/// Writes the name of a vendor and device into the buffer; 0 if the database has none.
int CPCI_name(struct pci_access *access, char *buffer, int size, int vendor, int device);

/// The name of the device alone, or of the vendor alone if device is -1; 0 if the database has none.
int CPCI_part_name(struct pci_access *access, char *buffer, int size, int vendor, int device);

#endif
