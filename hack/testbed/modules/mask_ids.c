// SPDX-License-Identifier: GPL-2.0
/*
 * Changes the ids of PCI functions: wraps reads of a function's configuration space, and puts the requested
 * ids into the header.
 *
 *   function=0000:24:00.0=10de:2330:030200:10de16c1   removes the function, and rescans it with its new ids
 *   function=+0000:23:00.0=15b3:1021:020000:15b30023  keeps the bound driver
 */
#include <linux/module.h>
#include <linux/pci.h>

#define MOST 32

struct mask {
	unsigned int domain, bus, device, function;
	u32 vendor, product, class, subsystem;
	bool keep_driver;
};

static char *function[MOST];
static int functions;
module_param_array(function, charp, &functions, 0444);

static struct mask masks[MOST];
static struct pci_ops masking;
static struct pci_ops *original;

static const struct mask *mask_of(struct pci_bus *bus, unsigned int devfn)
{
	int i;

	for (i = 0; i < functions; i++)
		if (masks[i].domain == pci_domain_nr(bus) && masks[i].bus == bus->number &&
		    PCI_DEVFN(masks[i].device, masks[i].function) == devfn)
			return &masks[i];
	return NULL;
}

/* The masked double word at an aligned offset of the header. */
static bool masked_word(const struct mask *mask, int offset, u32 *value)
{
	switch (offset) {
	case PCI_VENDOR_ID:
		*value = mask->product << 16 | mask->vendor;
		return true;
	case PCI_CLASS_REVISION:
		*value = mask->class << 8 | (*value & 0xff);
		return true;
	case PCI_SUBSYSTEM_VENDOR_ID:
		*value = mask->subsystem << 16 | mask->subsystem >> 16;
		return true;
	}
	return false;
}

static int masking_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	const struct mask *mask = mask_of(bus, devfn);
	int result = original->read(bus, devfn, where, size, value);
	u32 word;

	if (!mask || result != PCIBIOS_SUCCESSFUL)
		return result;
	if (original->read(bus, devfn, where & ~3, 4, &word) != PCIBIOS_SUCCESSFUL || word == ~0u)
		return result;
	if (!masked_word(mask, where & ~3, &word))
		return result;
	word >>= 8 * (where & 3);
	*value = size == 4 ? word : word & ((1u << 8 * size) - 1);
	return PCIBIOS_SUCCESSFUL;
}

static int parse(const char *text, struct mask *mask)
{
	mask->keep_driver = *text == '+';
	if (mask->keep_driver)
		text++;
	return sscanf(text, "%x:%x:%x.%x=%x:%x:%x:%x", &mask->domain, &mask->bus, &mask->device, &mask->function,
		      &mask->vendor, &mask->product, &mask->class, &mask->subsystem) == 8 ? 0 : -EINVAL;
}

static void apply(struct pci_dev *dev, const struct mask *mask)
{
	struct pci_bus *bus = dev->bus;

	if (!original) {
		/* All buses of this machine use the same operations. */
		original = bus->ops;
		masking = *original;
		masking.read = masking_read;
	}
	if (bus->ops != &masking)
		pci_bus_set_ops(bus, &masking);
	if (mask->keep_driver) {
		dev->vendor = mask->vendor;
		dev->device = mask->product;
		dev->class = mask->class;
		dev->subsystem_vendor = mask->subsystem >> 16;
		dev->subsystem_device = mask->subsystem & 0xffff;
		return;
	}
	pci_lock_rescan_remove();
	pci_stop_and_remove_bus_device(dev);
	pci_rescan_bus(bus);
	pci_unlock_rescan_remove();
}

static int __init mask_init(void)
{
	int i, result;

	for (i = 0; i < functions; i++) {
		result = parse(function[i], &masks[i]);
		if (result)
			return result;
	}
	for (i = 0; i < functions; i++) {
		struct pci_dev *dev = pci_get_domain_bus_and_slot(masks[i].domain, masks[i].bus,
								  PCI_DEVFN(masks[i].device, masks[i].function));

		/* Virtual functions are created later. */
		if (!dev)
			continue;
		apply(dev, &masks[i]);
		pci_dev_put(dev);
	}
	return 0;
}

/* The module cannot be unloaded: the buses keep pointing to it. */
module_init(mask_init);
MODULE_DESCRIPTION("Other ids for PCI functions, for tests");
MODULE_LICENSE("GPL");
