// SPDX-License-Identifier: Apache-2.0

import NetworkModel

extension NetworkConfig {
    /// Returns this configuration overlaid by another one: values and lists are replaced as a whole, maps entry by entry.
    package func overlaid(by other: NetworkConfig) -> NetworkConfig {
        var result = self
        result.interface = interface.overlaid(by: other.interface)
        result.routes = other.routes ?? routes
        result.rules = other.rules ?? rules
        result.neighbours = other.neighbours ?? neighbours
        result.features = merged(features, other.features)
        result.privateFlags = merged(privateFlags, other.privateFlags)
        result.rdma.management = other.rdma.management ?? rdma.management
        result.virtualFunction = other.virtualFunction.filled(from: virtualFunction)
        result.workload.environment = other.workload.environment ?? workload.environment
        if let pins = other.pinned { result.pinned = (pinned ?? []).union(pins) }
        result.workload.ncclTopology = other.workload.ncclTopology ?? workload.ncclTopology
        return result
    }
}

extension NetworkConfig {
    /// Settings that exclude each other, within a configuration or after a class and a claim were merged.
    package var conflicts: [ConfigProblem] {
        var found: [ConfigProblem] = []
        func problem(_ path: String, _ text: String) { found.append(ConfigProblem(.conflict, path, text)) }
        if interface.dhcp == true, interface.addresses != nil {
            problem("interface.dhcp", "addresses and dhcp exclude each other; remove one of them")
        }
        if interface.dhcp6 == true, interface.addresses?.contains(where: \.address.isV6) == true {
            problem("interface.dhcp6", "IPv6 addresses and dhcp6 exclude each other; remove one of them")
        }
        if let vrf = interface.vrf {
            if vrf.name == interface.name { problem("interface.vrf.name", "\"\(vrf.name)\" is the name of the interface itself") }
            if rules?.isEmpty == false {
                problem("rules", "an interface in a VRF uses only the VRF's table; remove rules, or interface.vrf")
            }
        }
        if interface.child?.kind == .ipvlan, interface.hardwareAddress != nil {
            problem("interface.hardwareAddr", "an ipvlan has the address of its parent interface")
        }
        if interface.child != nil, virtualFunction != VirtualFunctionSettings() {
            problem("sriov", "an interface stacked on the device is not a virtual function; remove sriov, or interface.subInterface")
        }
        if let low = virtualFunction.minimalRate, let high = virtualFunction.maximalRate, high != 0, low > high {
            problem("sriov.minTxRate", "\(low) is more than maxTxRate, \(high)")
        }
        // Maps of a class and a claim are merged.
        for (path, count, most) in [
            ("interface.sysctls", interface.sysctls?.count ?? 0, ConfigLimits.sysctls),
            ("ethtool.features", features?.count ?? 0, ConfigLimits.features),
            ("ethtool.privateFlags", privateFlags?.count ?? 0, ConfigLimits.privateFlags),
        ] where count > most { problem(path, "class and claim together have \(count) entries; the limit is \(most)") }
        return found
    }

    /// The number of entries that the configuration adds to a plan: see ``ConfigLimits/entriesPerClaim``.
    package var entries: Int {
        [
            interface.addresses?.count, interface.dhcpRoutes?.count, routes?.count, rules?.count, neighbours?.count,
            interface.sysctls?.count, features?.count,
            privateFlags?.count,
        ].reduce(0) { $0 + ($1 ?? 0) }
    }
}

extension InterfaceConfig {
    fileprivate func overlaid(by other: InterfaceConfig) -> InterfaceConfig {
        var result = self
        result.name = other.name ?? name
        result.addresses = other.addresses ?? addresses
        result.dhcp = other.dhcp ?? dhcp
        // A way of addressing replaces the other.
        if other.addresses != nil, other.dhcp == nil { result.dhcp = nil }
        if other.dhcp == true, other.addresses == nil { result.addresses = nil }
        result.dhcp6 = other.dhcp6 ?? dhcp6
        result.dhcpRoutes = other.dhcpRoutes ?? dhcpRoutes
        let hasV6 = other.addresses.map { $0.isEmpty || $0.contains(where: \.address.isV6) } ?? false
        if hasV6, other.dhcp6 == nil { result.dhcp6 = nil }
        if other.dhcp6 == true, other.addresses == nil { result.addresses?.removeAll(where: \.address.isV6) }
        result.mtu = other.mtu ?? mtu
        result.hardwareAddress = other.hardwareAddress ?? hardwareAddress
        result.gsoMaxSize = other.gsoMaxSize ?? gsoMaxSize
        result.groMaxSize = other.groMaxSize ?? groMaxSize
        result.gsoIPv4MaxSize = other.gsoIPv4MaxSize ?? gsoIPv4MaxSize
        result.groIPv4MaxSize = other.groIPv4MaxSize ?? groIPv4MaxSize
        result.forwarding = other.forwarding ?? forwarding
        result.arpIgnore = other.arpIgnore ?? arpIgnore
        result.arpAnnounce = other.arpAnnounce ?? arpAnnounce
        result.acceptRA = other.acceptRA ?? acceptRA
        result.detachesPrograms = other.detachesPrograms ?? detachesPrograms
        result.vrf = other.vrf ?? vrf
        result.child = other.child ?? child
        result.sysctls = merged(sysctls, other.sysctls)
        return result
    }

    /// All sysctls of the interface by their path in /proc/sys/net, without the interface: `ipv4/conf/rp_filter`.
    package var settings: [String: String] {
        var settings: [String: String] = [:]
        if let forwarding {
            for family in ["ipv4", "ipv6"] { settings["\(family)/conf/forwarding"] = forwarding ? "1" : "0" }
        }
        if let arpIgnore { settings["ipv4/conf/arp_ignore"] = String(arpIgnore) }
        if let arpAnnounce { settings["ipv4/conf/arp_announce"] = String(arpAnnounce) }
        if let acceptRA { settings["ipv6/conf/accept_ra"] = String(acceptRA) }
        for (name, value) in sysctls ?? [:] {
            let parts = name.split(separator: ".")
            settings[(parts.count == 2 ? [parts[0], "conf", parts[1]] : parts).joined(separator: "/")] = value
        }
        return settings
    }
}

private func merged<Value>(_ base: [String: Value]?, _ other: [String: Value]?) -> [String: Value]? {
    guard let base, let other else { return other ?? base }
    return base.merging(other) { _, new in new }
}
