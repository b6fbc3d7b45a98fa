// SPDX-License-Identifier: Apache-2.0

/// Names of an interface's settings, as files in /proc/sys/net/FAMILY/conf/IF, and their numbers in rtnetlink.
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

    /// linux/ipv6.h, DEVCONF_, limited to settable ones. `disable_ipv6` comes first, because a change of it removes addresses.
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
