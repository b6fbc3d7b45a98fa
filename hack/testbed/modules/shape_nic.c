// SPDX-License-Identifier: GPL-2.0
/*
 * A NIC without a wire, whose driver stores n-tuple rules, RSS with contexts, hash fields, hardware timestamping, forward error
 * correction and Wake-on-LAN, and reports them unchanged.
 *
 * The parameter "refuse" has a bit for each of them in this order (RSS and its contexts: 2); a set bit makes changes fail with EBUSY.
 * If "rules" is not 0, it is reported as the number of rules.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>

enum { QUEUES = 8, RULES = 64, TABLE_SIZE = 128, KEY_SIZE = 40, CONTEXTS = 8, FLOWS = 0x12 };
enum { REFUSE_RULES = 1, REFUSE_RSS = 2, REFUSE_FIELDS = 4, REFUSE_TIMESTAMPING = 8, REFUSE_FEC = 16, REFUSE_WOL = 32 };

struct spreading {
	bool used;
	u32 table[TABLE_SIZE];
	u8 key[KEY_SIZE], function;
};

struct shape {
	struct ethtool_rx_flow_spec rules[RULES];
	u32 rule_contexts[RULES];
	bool used[RULES];
	struct spreading contexts[CONTEXTS];
	u64 fields[FLOWS];
	struct hwtstamp_config timestamping;
	u32 fec, wol, queues;
	u8 password[SOPASS_MAX];
};

static unsigned int refuse, rules;
module_param(refuse, uint, 0644);
module_param(rules, uint, 0644);

static struct platform_device *bus;
static struct net_device *nic;

static void spread_evenly(struct shape *shape, struct spreading *context)
{
	int i;

	for (i = 0; i < TABLE_SIZE; i++)
		context->table[i] = ethtool_rxfh_indir_default(i, shape->queues);
}

static int get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info, u32 *locations)
{
	struct shape *shape = netdev_priv(dev);
	u32 i, count = 0;

	switch (info->cmd) {
	case ETHTOOL_GRXRINGS:
		info->data = shape->queues;
		return 0;
	case ETHTOOL_GRXFH:
		if (info->flow_type >= FLOWS || !shape->fields[info->flow_type])
			return -EINVAL;
		info->data = shape->fields[info->flow_type];
		return 0;
	case ETHTOOL_GRXCLSRLCNT:
	case ETHTOOL_GRXCLSRLALL:
		for (i = 0; i < RULES; i++) {
			if (!shape->used[i])
				continue;
			if (locations) {
				if (count == info->rule_cnt)
					return -EMSGSIZE;
				locations[count] = i;
			}
			count++;
		}
		info->rule_cnt = rules && !locations ? rules : count;
		info->data = RULES;
		return 0;
	case ETHTOOL_GRXCLSRULE:
		if (info->fs.location >= RULES || !shape->used[info->fs.location])
			return -ENOENT;
		info->rss_context = shape->rule_contexts[info->fs.location];
		info->fs = shape->rules[info->fs.location];
		return 0;
	}
	return -EOPNOTSUPP;
}

static int set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info)
{
	struct shape *shape = netdev_priv(dev);
	u32 location = info->fs.location;

	if (refuse & (info->cmd == ETHTOOL_SRXFH ? REFUSE_FIELDS : REFUSE_RULES))
		return -EBUSY;
	switch (info->cmd) {
	case ETHTOOL_SRXFH:
		if (info->flow_type >= FLOWS || !shape->fields[info->flow_type])
			return -EINVAL;
		shape->fields[info->flow_type] = info->data;
		return 0;
	case ETHTOOL_SRXCLSRLINS:
		if (location >= RULES)
			return -EINVAL;
		if (info->fs.ring_cookie != RX_CLS_FLOW_DISC && info->fs.ring_cookie >= shape->queues)
			return -EINVAL;
		if (info->fs.flow_type & FLOW_RSS) {
			if (info->rss_context >= CONTEXTS || !shape->contexts[info->rss_context].used)
				return -EINVAL;
			shape->rule_contexts[location] = info->rss_context;
		}
		shape->rules[location] = info->fs;
		shape->used[location] = true;
		return 0;
	case ETHTOOL_SRXCLSRLDEL:
		if (location >= RULES || !shape->used[location])
			return -ENOENT;
		shape->used[location] = false;
		return 0;
	}
	return -EOPNOTSUPP;
}

static u32 get_rxfh_key_size(struct net_device *dev)
{
	return KEY_SIZE;
}

static u32 get_rxfh_indir_size(struct net_device *dev)
{
	return TABLE_SIZE;
}

static int get_rxfh_context(struct net_device *dev, u32 *table, u8 *key, u8 *function, u32 number)
{
	struct shape *shape = netdev_priv(dev);
	struct spreading *context;

	if (number >= CONTEXTS || !shape->contexts[number].used)
		return -ENOENT;
	context = &shape->contexts[number];
	if (table)
		memcpy(table, context->table, sizeof(context->table));
	if (key)
		memcpy(key, context->key, KEY_SIZE);
	if (function)
		*function = context->function;
	return 0;
}

static int get_rxfh(struct net_device *dev, u32 *table, u8 *key, u8 *function)
{
	return get_rxfh_context(dev, table, key, function, 0);
}

static bool is_led_to(struct shape *shape, u32 number)
{
	int i;

	for (i = 0; i < RULES; i++)
		if (shape->used[i] && (shape->rules[i].flow_type & FLOW_RSS) && shape->rule_contexts[i] == number)
			return true;
	return false;
}

static int set_rxfh_context(struct net_device *dev, const u32 *table, const u8 *key, const u8 function, u32 *number, bool delete)
{
	struct shape *shape = netdev_priv(dev);
	struct spreading *context;
	u32 i;

	if (refuse & REFUSE_RSS)
		return -EBUSY;
	if (*number == ETH_RXFH_CONTEXT_ALLOC) {
		for (i = 1; i < CONTEXTS && shape->contexts[i].used; i++)
			;
		if (i == CONTEXTS)
			return -ENOSPC;
		*number = i;
		shape->contexts[i] = shape->contexts[0];
		spread_evenly(shape, &shape->contexts[i]);
	}
	if (*number >= CONTEXTS || !shape->contexts[*number].used)
		return -ENOENT;
	context = &shape->contexts[*number];
	if (delete) {
		if (is_led_to(shape, *number))
			return -EBUSY;
		context->used = false;
		return 0;
	}
	for (i = 0; table && i < TABLE_SIZE; i++)
		if (table[i] >= shape->queues)
			return -EINVAL;
	if (table)
		memcpy(context->table, table, sizeof(context->table));
	if (key)
		memcpy(context->key, key, KEY_SIZE);
	if (function != ETH_RSS_HASH_NO_CHANGE)
		context->function = function;
	return 0;
}

static int set_rxfh(struct net_device *dev, const u32 *table, const u8 *key, const u8 function)
{
	u32 number = 0;

	return set_rxfh_context(dev, table, key, function, &number, false);
}

static void get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct shape *shape = netdev_priv(dev);

	channels->max_combined = QUEUES;
	channels->combined_count = shape->queues;
}

/* Like real drivers, it spreads packets over all queues unless a table was set. */
static int set_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct shape *shape = netdev_priv(dev);

	shape->queues = channels->combined_count;
	if (!netif_is_rxfh_configured(dev))
		spread_evenly(shape, &shape->contexts[0]);
	return netif_set_real_num_queues(dev, shape->queues, shape->queues);
}

static int get_fecparam(struct net_device *dev, struct ethtool_fecparam *fec)
{
	struct shape *shape = netdev_priv(dev);

	fec->fec = shape->fec;
	fec->active_fec = shape->fec & ETHTOOL_FEC_AUTO ? ETHTOOL_FEC_RS : shape->fec;
	return 0;
}

static int set_fecparam(struct net_device *dev, struct ethtool_fecparam *fec)
{
	struct shape *shape = netdev_priv(dev);

	if (refuse & REFUSE_FEC)
		return -EBUSY;
	shape->fec = fec->fec;
	return 0;
}

static void get_wol(struct net_device *dev, struct ethtool_wolinfo *wol)
{
	struct shape *shape = netdev_priv(dev);

	wol->supported = WAKE_UCAST | WAKE_MAGIC | WAKE_MAGICSECURE;
	wol->wolopts = shape->wol;
	memcpy(wol->sopass, shape->password, SOPASS_MAX);
}

static int set_wol(struct net_device *dev, struct ethtool_wolinfo *wol)
{
	struct shape *shape = netdev_priv(dev);

	if (refuse & REFUSE_WOL)
		return -EBUSY;
	shape->wol = wol->wolopts;
	memcpy(shape->password, wol->sopass, SOPASS_MAX);
	return 0;
}

static int eth_ioctl(struct net_device *dev, struct ifreq *request, int command)
{
	struct shape *shape = netdev_priv(dev);
	struct hwtstamp_config config;

	if (command == SIOCGHWTSTAMP)
		return copy_to_user(request->ifr_data, &shape->timestamping, sizeof(config)) ? -EFAULT : 0;
	if (command != SIOCSHWTSTAMP)
		return -EOPNOTSUPP;
	if (copy_from_user(&config, request->ifr_data, sizeof(config)))
		return -EFAULT;
	if (refuse & REFUSE_TIMESTAMPING)
		return -EBUSY;
	shape->timestamping = config;
	return 0;
}

static netdev_tx_t start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int open(struct net_device *dev)
{
	netif_carrier_on(dev);
	return 0;
}

static int stop(struct net_device *dev)
{
	netif_carrier_off(dev);
	return 0;
}

static const struct net_device_ops operations = {
	.ndo_open = open,
	.ndo_stop = stop,
	.ndo_start_xmit = start_xmit,
	.ndo_eth_ioctl = eth_ioctl,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static const struct ethtool_ops ethtool_operations = {
	.get_link = ethtool_op_get_link,
	.get_rxnfc = get_rxnfc,
	.set_rxnfc = set_rxnfc,
	.get_rxfh_key_size = get_rxfh_key_size,
	.get_rxfh_indir_size = get_rxfh_indir_size,
	.get_rxfh = get_rxfh,
	.set_rxfh = set_rxfh,
	.get_rxfh_context = get_rxfh_context,
	.set_rxfh_context = set_rxfh_context,
	.get_channels = get_channels,
	.set_channels = set_channels,
	.get_fecparam = get_fecparam,
	.set_fecparam = set_fecparam,
	.get_wol = get_wol,
	.set_wol = set_wol,
};

static int __init shape_init(void)
{
	static const u8 address[ETH_ALEN] = {0x52, 0x54, 0x00, 0x00, 0x03, 0x00};
	struct shape *shape;
	int i, result;

	bus = platform_device_register_simple("shape_nic", -1, NULL, 0);
	if (IS_ERR(bus))
		return PTR_ERR(bus);
	nic = alloc_etherdev_mq(sizeof(struct shape), QUEUES);
	if (!nic) {
		platform_device_unregister(bus);
		return -ENOMEM;
	}
	shape = netdev_priv(nic);
	shape->queues = 4;
	shape->fec = ETHTOOL_FEC_AUTO;
	shape->contexts[0].used = true;
	shape->contexts[0].function = ETH_RSS_HASH_TOP;
	for (i = 0; i < KEY_SIZE; i++)
		shape->contexts[0].key[i] = 0x6d ^ i;
	spread_evenly(shape, &shape->contexts[0]);
	shape->fields[TCP_V4_FLOW] = shape->fields[TCP_V6_FLOW] = RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3;
	shape->fields[UDP_V4_FLOW] = shape->fields[UDP_V6_FLOW] = RXH_IP_SRC | RXH_IP_DST;
	SET_NETDEV_DEV(nic, &bus->dev);
	nic->netdev_ops = &operations;
	nic->ethtool_ops = &ethtool_operations;
	strscpy(nic->name, "shape0", sizeof(nic->name));
	eth_hw_addr_set(nic, address);
	netif_carrier_off(nic);
	netif_set_real_num_tx_queues(nic, shape->queues);
	netif_set_real_num_rx_queues(nic, shape->queues);
	result = register_netdev(nic);
	if (result) {
		free_netdev(nic);
		platform_device_unregister(bus);
	}
	return result;
}

static void __exit shape_exit(void)
{
	unregister_netdev(nic);
	free_netdev(nic);
	platform_device_unregister(bus);
}

module_init(shape_init);
module_exit(shape_exit);
MODULE_DESCRIPTION("A NIC with settings of its driver, for tests");
MODULE_LICENSE("GPL");
