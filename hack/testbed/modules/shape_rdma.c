// SPDX-License-Identifier: GPL-2.0
/*
 * RDMA devices without a data path, at the places in sysfs that real drivers use.
 *
 *   alone=0000:25:00.0    a device without an interface, like EFA
 *   beside=0000:23:00.0   a RoCE device on the interface of the function, like mlx5
 *
 * Writing "N 1" (down) or "N 4" (active) to the parameter "port" sets the state of the N-th device's port and
 * raises an event; "N 0" raises the event of a fatal error.
 */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/rtnetlink.h>
#include <rdma/ib_verbs.h>
#include <rdma/uverbs_ioctl.h>

#define MOST 16

struct shape {
	struct ib_device ib;
	struct pci_dev *pci;
	bool ethernet;
	enum ib_port_state state;
};

struct shape_context {
	struct ib_ucontext ib;
};

static char *alone[MOST], *beside[MOST];
static int alones, besides;
module_param_array(alone, charp, &alones, 0444);
module_param_array(beside, charp, &besides, 0444);

static struct shape *shapes[2 * MOST];
static int count;

static struct shape *shape_of(struct ib_device *ib)
{
	return container_of(ib, struct shape, ib);
}

static int query_device(struct ib_device *ib, struct ib_device_attr *attributes, struct ib_udata *data)
{
	struct shape *shape = shape_of(ib);

	memset(attributes, 0, sizeof(*attributes));
	attributes->vendor_id = shape->pci->vendor;
	attributes->vendor_part_id = shape->pci->device;
	attributes->sys_image_guid = ib->node_guid;
	attributes->max_mr_size = U64_MAX;
	attributes->page_size_cap = PAGE_SIZE;
	attributes->max_qp = 256;
	attributes->max_qp_wr = 1024;
	attributes->max_cq = 512;
	attributes->max_cqe = 4096;
	attributes->max_mr = 1024;
	attributes->max_pd = 256;
	return 0;
}

static void firmware(struct ib_device *ib, char *text)
{
	snprintf(text, IB_FW_VERSION_NAME_MAX, "28.39.1002");
}

static int query_port(struct ib_device *ib, u32 port, struct ib_port_attr *attributes)
{
	struct shape *shape = shape_of(ib);

	attributes->state = shape->state;
	attributes->phys_state = shape->state == IB_PORT_ACTIVE ? IB_PORT_PHYS_STATE_LINK_UP : IB_PORT_PHYS_STATE_DISABLED;
	attributes->gid_tbl_len = shape->ethernet ? 16 : 1;
	attributes->pkey_tbl_len = 1;
	attributes->max_mtu = IB_MTU_4096;
	attributes->active_mtu = IB_MTU_4096;
	attributes->active_speed = IB_SPEED_NDR;
	attributes->active_width = IB_WIDTH_4X;
	attributes->max_msg_sz = 8192;
	attributes->max_vl_num = 1;
	return 0;
}

static int port_immutable(struct ib_device *ib, u32 port, struct ib_port_immutable *immutable)
{
	immutable->pkey_tbl_len = 1;
	immutable->gid_tbl_len = 1;
	if (shape_of(ib)->ethernet) {
		immutable->gid_tbl_len = 16;
		immutable->core_cap_flags = RDMA_CORE_CAP_PROT_ROCE_UDP_ENCAP;
	}
	return 0;
}

static int query_gid(struct ib_device *ib, u32 port, int index, union ib_gid *gid)
{
	gid->global.subnet_prefix = cpu_to_be64(0xfe80ULL << 48);
	gid->global.interface_id = ib->node_guid;
	return 0;
}

static int query_pkey(struct ib_device *ib, u32 port, u16 index, u16 *key)
{
	*key = 0xffff;
	return index ? -EINVAL : 0;
}

static enum rdma_link_layer link_layer(struct ib_device *ib, u32 port)
{
	return shape_of(ib)->ethernet ? IB_LINK_LAYER_ETHERNET : IB_LINK_LAYER_UNSPECIFIED;
}

static int add_gid(const struct ib_gid_attr *attribute, void **context)
{
	return 0;
}

static int del_gid(const struct ib_gid_attr *attribute, void **context)
{
	return 0;
}

static int alloc_ucontext(struct ib_ucontext *context, struct ib_udata *data)
{
	char zeros[64] = {};

	return ib_copy_to_udata(data, zeros, min(data->outlen, sizeof(zeros)));
}

static void leave_ucontext(struct ib_ucontext *context)
{
}

static struct ib_device_ops operations = {
	.owner = THIS_MODULE,
	/*
	 * The provider of rdma-core that opens any device with its driver id: software iWARP. The kernel's own driver
	 * with that id is not part of Debian's kernels, so that they do not conflict.
	 */
	.driver_id = RDMA_DRIVER_SIW,
	.uverbs_abi_ver = 1,
	.query_device = query_device,
	.get_dev_fw_str = firmware,
	.query_port = query_port,
	.get_port_immutable = port_immutable,
	.query_gid = query_gid,
	.query_pkey = query_pkey,
	.get_link_layer = link_layer,
	.add_gid = add_gid,
	.del_gid = del_gid,
	.alloc_ucontext = alloc_ucontext,
	.dealloc_ucontext = leave_ucontext,
	.disassociate_ucontext = leave_ucontext,
	INIT_RDMA_OBJ_SIZE(ib_ucontext, shape_context, ib),
};

static struct net_device *interface_of(struct pci_dev *pci)
{
	struct net_device *found = NULL, *each;

	rtnl_lock();
	for_each_netdev(&init_net, each)
		if (each->dev.parent == &pci->dev)
			found = each;
	rtnl_unlock();
	return found;
}

static int add(const char *place, const char *name, bool ethernet)
{
	unsigned int domain, bus, device, function;
	struct net_device *interface = NULL;
	struct pci_dev *pci;
	struct shape *shape;
	int result = 0;

	if (sscanf(place, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return -EINVAL;
	pci = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(device, function));
	if (!pci)
		return -ENODEV;
	if (ethernet) {
		interface = interface_of(pci);
		if (!interface)
			return -ENODEV;
	}
	shape = ib_alloc_device(shape, ib);
	if (!shape)
		return -ENOMEM;
	shape->pci = pci;
	shape->ethernet = ethernet;
	shape->state = IB_PORT_ACTIVE;
	shape->ib.node_type = ethernet ? RDMA_NODE_IB_CA : RDMA_NODE_UNSPECIFIED;
	shape->ib.phys_port_cnt = 1;
	shape->ib.num_comp_vectors = 1;
	shape->ib.node_guid = cpu_to_be64(0x0200000000000000ULL | pci_dev_id(pci));
	shape->ib.dev.parent = &pci->dev;
	ib_set_device_ops(&shape->ib, &operations);
	if (interface)
		result = ib_device_set_netdev(&shape->ib, interface, 1);
	if (!result)
		result = ib_register_device(&shape->ib, name, &pci->dev);
	if (result) {
		ib_dealloc_device(&shape->ib);
		return result;
	}
	shapes[count++] = shape;
	return 0;
}

static int set_port(const char *text, const struct kernel_param *parameter)
{
	struct ib_event event = { .element.port_num = 1 };
	unsigned int index, state;

	if (sscanf(text, "%u %u", &index, &state) != 2 || index >= count)
		return -EINVAL;
	event.device = &shapes[index]->ib;
	if (state == 0) {
		event.event = IB_EVENT_DEVICE_FATAL;
	} else {
		shapes[index]->state = state;
		event.event = state == IB_PORT_ACTIVE ? IB_EVENT_PORT_ACTIVE : IB_EVENT_PORT_ERR;
	}
	ib_dispatch_event(&event);
	return 0;
}

static const struct kernel_param_ops port_operations = { .set = set_port };
module_param_cb(port, &port_operations, NULL, 0200);

static int __init shape_init(void)
{
	int i, result = 0;

	for (i = 0; i < besides && !result; i++)
		result = add(beside[i], "mlx5_%d", true);
	for (i = 0; i < alones && !result; i++)
		result = add(alone[i], "efa_%d", false);
	return result;
}

/* The module cannot be unloaded: the machine ends with its tests. */
module_init(shape_init);
MODULE_DESCRIPTION("RDMA devices without a data path, for tests");
MODULE_LICENSE("GPL");
