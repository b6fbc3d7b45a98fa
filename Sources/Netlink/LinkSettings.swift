// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// What can be set on an interface besides what identifies it: all that a stay in another namespace can change.
package struct LinkSettings: Hashable, Sendable, Codable {
    /// IFF_ flags that somebody sets and no state of the kernel: see ``settableFlags``.
    package var flags: UInt32
    package var txQueueLength: UInt32
    package var group: UInt32
    package var sizes: SegmentSizes
    /// IPv4 settings, by their number less one (linux/ip.h, IPV4_DEVCONF_).
    package var ipv4: [UInt32]
    /// IPv6 settings, by their number (linux/ipv6.h, DEVCONF_).
    package var ipv6: [Int32]

    /// Promiscuous mode and the like; whether it is up is a thing of its own.
    package static let settableFlags = UInt32(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST)

    /// Reads the attributes of RTM_NEWLINK (linux/if_link.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard reader.skip(8), let flags = reader.integer(UInt32.self), reader.skip(4), let rest = reader.take(reader.remaining) else {
            return nil
        }
        self.flags = flags & Self.settableFlags
        txQueueLength = 0
        group = 0
        sizes = SegmentSizes()
        ipv4 = []
        ipv6 = []
        var settings = self
        guard Attribute.each(rest, { settings.take($0) }) else { return nil }
        self = settings
    }

    private mutating func take(_ attribute: Attribute) {
        switch Int(attribute.type) {
        case IFLA_TXQLEN: txQueueLength = attribute.integer() ?? 0
        case IFLA_GROUP: group = attribute.integer() ?? 0
        case IFLA_GSO_MAX_SIZE: sizes.gso = attribute.integer()
        case IFLA_GRO_MAX_SIZE: sizes.gro = attribute.integer()
        case IFLA_GSO_MAX_SEGS: sizes.segments = attribute.integer()
        case SegmentSizes.gsoIPv4Type: sizes.gsoIPv4 = attribute.integer()
        case SegmentSizes.groIPv4Type: sizes.groIPv4 = attribute.integer()
        case IFLA_AF_SPEC:
            for family in attribute.nested ?? [] {
                if Int32(family.type) == AF_INET { ipv4 = family.nested?[type: IFLA_INET_CONF]?.integers() ?? [] }
                if Int32(family.type) == AF_INET6 { ipv6 = family.nested?[type: IFLA_INET6_CONF]?.integers() ?? [] }
            }
        default: break
        }
    }

    /// The numbers and values of the IPv4 settings that have to be set to make those settings these.
    package func ipv4Missing(from other: LinkSettings) -> [Int: UInt32] {
        var missing: [Int: UInt32] = [:]
        for (index, value) in ipv4.enumerated() where index < other.ipv4.count && other.ipv4[index] != value { missing[index + 1] = value }
        return missing
    }

    /// The same for IPv6, by the names of files in /proc/sys/net/ipv6/conf/IF: rtnetlink cannot set these.
    package func ipv6Missing(from other: LinkSettings) -> [(name: String, value: Int32)] {
        InterfaceSettings.ipv6.compactMap { name, number in
            guard number < ipv6.count, number < other.ipv6.count, ipv6[number] != other.ipv6[number] else { return nil }
            return (name, ipv6[number])
        }
    }
}

/// Names of the settings of an interface, as files below /proc/sys/net/FAMILY/conf/IF, and their numbers in rtnetlink.
package enum InterfaceSettings {
    /// linux/ip.h, IPV4_DEVCONF_.
    package static let ipv4: [String: Int] = [
        "forwarding": 1, "mc_forwarding": 2, "proxy_arp": 3, "accept_redirects": 4, "secure_redirects": 5, "send_redirects": 6,
        "shared_media": 7, "rp_filter": 8, "accept_source_route": 9, "bootp_relay": 10, "log_martians": 11, "tag": 12, "arp_filter": 13,
        "medium_id": 14, "disable_xfrm": 15, "disable_policy": 16, "force_igmp_version": 17, "arp_announce": 18, "arp_ignore": 19,
        "promote_secondaries": 20, "arp_accept": 21, "arp_notify": 22, "accept_local": 23, "src_valid_mark": 24, "proxy_arp_pvlan": 25,
        "route_localnet": 26, "igmpv2_unsolicited_report_interval": 27, "igmpv3_unsolicited_report_interval": 28,
        "ignore_routes_with_linkdown": 29, "drop_unicast_in_l2_multicast": 30, "drop_gratuitous_arp": 31, "bc_forwarding": 32,
        "arp_evict_nocarrier": 33,
    ]

    /// linux/ipv6.h, DEVCONF_, of those that can be set. `disable_ipv6` comes first: switching it takes addresses away.
    package static let ipv6: [(name: String, number: Int)] = [
        ("disable_ipv6", 26), ("addr_gen_mode", 47), ("forwarding", 0), ("hop_limit", 1), ("accept_ra", 3), ("accept_redirects", 4),
        ("autoconf", 5), ("dad_transmits", 6), ("router_solicitations", 7), ("use_tempaddr", 10), ("temp_valid_lft", 11),
        ("temp_prefered_lft", 12), ("regen_max_retry", 13), ("max_desync_factor", 14), ("max_addresses", 15), ("force_mld_version", 16),
        ("accept_ra_defrtr", 17), ("accept_ra_pinfo", 18), ("accept_ra_rtr_pref", 19), ("accept_ra_rt_info_max_plen", 21),
        ("proxy_ndp", 22), ("optimistic_dad", 23), ("accept_source_route", 24), ("accept_dad", 27), ("force_tllao", 28),
        ("ndisc_notify", 29), ("mldv1_unsolicited_report_interval", 30), ("mldv2_unsolicited_report_interval", 31),
        ("suppress_frag_ndisc", 32), ("accept_ra_from_local", 33), ("use_optimistic", 34), ("accept_ra_mtu", 35),
        ("use_oif_addrs_only", 37), ("accept_ra_min_hop_limit", 38), ("ignore_routes_with_linkdown", 39),
        ("drop_unicast_in_l2_multicast", 40), ("drop_unsolicited_na", 41), ("keep_addr_on_down", 42), ("seg6_enabled", 44),
        ("seg6_require_hmac", 45), ("enhanced_dad", 46), ("disable_policy", 48), ("accept_ra_rt_info_min_plen", 49), ("ndisc_tclass", 50),
        ("rpl_seg_enabled", 51), ("ra_defrtr_metric", 52), ("ioam6_enabled", 53), ("ioam6_id", 54), ("ioam6_id_wide", 55),
        ("ndisc_evict_nocarrier", 56), ("accept_untracked_na", 57), ("accept_ra_min_lft", 58),
    ]
}

extension Attribute {
    /// The value as a row of integers.
    fileprivate func integers<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> [Value] {
        var reader = ByteReader(value)
        var result: [Value] = []
        while let next = reader.integer(type) { result.append(next) }
        return result
    }
}
