// SPDX-License-Identifier: Apache-2.0
//
// libpci: names of devices by their ids.
#ifndef NEARSIDE_CPCI_H
#define NEARSIDE_CPCI_H

#include <pci/pci.h>

/// Opens libpci for look-ups by name; no bus is scanned. NULL when it cannot be had. The database is
/// id_file, or the distribution's own when that is NULL.
struct pci_access *CPCI_open_names(const char *id_file);

void CPCI_close(struct pci_access *access);

/// Writes the name of a vendor and device into the buffer; 0 when the database has none.
int CPCI_name(struct pci_access *access, char *buffer, int size, int vendor, int device);

#endif
