// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// A sysctl of an interface that a configuration can set (Documentation/networking/ip-sysctl.rst).
package struct SysctlSetting: Hashable, Sendable {
    package var values: ClosedRange<Int>
    /// True if the setting affects only the pod's use of its interface, and uses no resources of the host: a claim may set it.
    package var isHarmless: Bool
}

/// The sysctls that `interface.sysctls` supports: `ipv4.NAME`, `ipv6.NAME`, `ipv4.neigh.NAME` and `ipv6.neigh.NAME`.
package enum Sysctls {
    package static let settings: [String: SysctlSetting] = {
        var settings: [String: SysctlSetting] = [:]
        func add(_ prefix: String, _ names: String, _ values: ClosedRange<Int>, isHarmless: Bool = false) {
            for name in names.split(separator: " ") {
                settings[prefix + name] = SysctlSetting(values: values, isHarmless: isHarmless)
            }
        }
        let flag = 0...1
        let seconds = 0...86_400 * 30
        add("ipv4.", "arp_filter arp_notify promote_secondaries ignore_routes_with_linkdown drop_gratuitous_arp", flag, isHarmless: true)
        add("ipv4.", "drop_unicast_in_l2_multicast arp_evict_nocarrier src_valid_mark", flag, isHarmless: true)
        add("ipv4.", "rp_filter arp_accept", 0...2, isHarmless: true)
        add("ipv4.", "accept_local accept_redirects accept_source_route bc_forwarding bootp_relay disable_policy disable_xfrm", flag)
        add("ipv4.", "log_martians proxy_arp proxy_arp_pvlan route_localnet secure_redirects send_redirects shared_media", flag)
        add("ipv4.", "force_igmp_version", 0...3)
        add("ipv6.", "accept_ra_defrtr accept_ra_mtu accept_ra_pinfo accept_ra_rtr_pref autoconf disable_ipv6", flag, isHarmless: true)
        add("ipv6.", "drop_unicast_in_l2_multicast drop_unsolicited_na enhanced_dad ignore_routes_with_linkdown", flag, isHarmless: true)
        add("ipv6.", "ndisc_evict_nocarrier ndisc_notify optimistic_dad use_oif_addrs_only use_optimistic", flag, isHarmless: true)
        add("ipv6.", "accept_dad", 0...2, isHarmless: true)
        add("ipv6.", "addr_gen_mode", 0...3, isHarmless: true)
        add("ipv6.", "use_tempaddr keep_addr_on_down", -1...2, isHarmless: true)
        add("ipv6.", "dad_transmits", 0...10, isHarmless: true)
        add("ipv6.", "hop_limit", 1...255, isHarmless: true)
        add("ipv6.", "mtu", 1280...65535, isHarmless: true)
        add("ipv6.", "accept_ra_min_hop_limit", 0...255, isHarmless: true)
        add("ipv6.", "accept_ra_rt_info_min_plen accept_ra_rt_info_max_plen", 0...128, isHarmless: true)
        add("ipv6.", "accept_ra_min_lft temp_prefered_lft temp_valid_lft", seconds, isHarmless: true)
        add("ipv6.", "router_solicitations", -1...100)
        add("ipv6.", "router_solicitation_delay router_solicitation_interval router_solicitation_max_interval", seconds)
        add("ipv6.", "accept_ra_from_local accept_redirects accept_untracked_na disable_policy force_tllao proxy_ndp", flag)
        add("ipv6.", "rpl_seg_enabled seg6_enabled suppress_frag_ndisc", flag)
        add("ipv6.", "accept_source_route seg6_require_hmac", -1...1)
        add("ipv6.", "force_mld_version", 0...2)
        add("ipv6.", "max_addresses", 0...64)
        add("ipv6.", "ndisc_tclass", 0...255)
        add("ipv6.", "ra_defrtr_metric", 1...Int(Int32.max))
        for family in ["ipv4.neigh.", "ipv6.neigh."] {
            add(family, "app_solicit mcast_resolicit mcast_solicit ucast_solicit", 0...20, isHarmless: true)
            add(family, "base_reachable_time_ms retrans_time_ms", 100...86_400_000, isHarmless: true)
            add(family, "delay_first_probe_time gc_stale_time", 1...86_400, isHarmless: true)
            add(family, "anycast_delay locktime proxy_delay", 0...100_000)
            add(family, "interval_probe_time_ms", 100...86_400_000)
            add(family, "proxy_qlen unres_qlen", 0...1024)
            add(family, "unres_qlen_bytes", 0...1 << 20)
        }
        return settings
    }()

    /// Sysctls with their own fields.
    package static let fields = [
        "ipv4.forwarding": "interface.forwarding", "ipv6.forwarding": "interface.forwarding", "ipv4.arp_ignore": "interface.arpIgnore",
        "ipv4.arp_announce": "interface.arpAnnounce", "ipv6.accept_ra": "interface.acceptRA",
    ]
}

extension InterfaceConfig {
    mutating func readSysctls(_ json: JSONValue?, _ reader: inout ConfigReader) {
        let path = "interface.sysctls"
        sysctls = reader.map(json, at: path, most: ConfigLimits.sysctls, bytes: ConfigLimits.sysctlBytes) { reader, value, path in
            let name = String(path.dropFirst("interface.sysctls.".count))
            if let field = Sysctls.fields[name] {
                reader.problem(path, "is set with its own field: \(field)", .conflict)
                return nil
            }
            guard let setting = Sysctls.settings[name] else {
                reader.problem(
                    path,
                    "is not a supported sysctl of an interface; nearside validate --explain lists them, such as ipv4.rp_filter",
                    .unknownField)
                return nil
            }
            let number: Int? =
                switch value {
                case .string(let text) where text.utf8.count <= 11: Int(text)
                case .integer(let number): Int(exactly: number)
                case .bool(let value): value ? 1 : 0
                default: nil
                }
            guard let number, setting.values.contains(number) else {
                reader.problem(path, "is not an integer from \(setting.values.lowerBound) to \(setting.values.upperBound)")
                return nil
            }
            return String(number)
        }
    }
}
