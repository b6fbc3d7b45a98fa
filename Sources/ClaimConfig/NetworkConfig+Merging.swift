// SPDX-License-Identifier: Apache-2.0

import Addressing

extension NetworkConfig {
    /// This configuration, with what the other says laid over it: single values and lists as a whole, maps entry by entry.
    package func overlaid(by other: NetworkConfig) -> NetworkConfig {
        var result = self
        result.interface = interface.overlaid(by: other.interface)
        result.routes = other.routes ?? routes
        result.rules = other.rules ?? rules
        result.neighbors = other.neighbors ?? neighbors
        result.features = merged(features, other.features)
        result.privateFlags = merged(privateFlags, other.privateFlags)
        result.rdma.management = other.rdma.management ?? rdma.management
        result.virtualFunction = virtualFunction.overlaid(by: other.virtualFunction)
        result.workload.environment = other.workload.environment ?? workload.environment
        result.workload.ncclTopology = other.workload.ncclTopology ?? workload.ncclTopology
        return result
    }
}

extension InterfaceConfig {
    fileprivate func overlaid(by other: InterfaceConfig) -> InterfaceConfig {
        var result = self
        result.name = other.name ?? name
        result.addresses = other.addresses ?? addresses
        result.dhcp = other.dhcp ?? dhcp
        // One way to come by addresses replaces the other.
        if other.addresses != nil, other.dhcp == nil { result.dhcp = nil }
        if other.dhcp == true, other.addresses == nil { result.addresses = nil }
        result.dhcp6 = other.dhcp6 ?? dhcp6
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
        result.disablesPrograms = other.disablesPrograms ?? disablesPrograms
        result.vrf = other.vrf ?? vrf
        result.child = other.child ?? child
        result.sysctls = merged(sysctls, other.sysctls)
        return result
    }

    /// All settings of the interface by their path below /proc/sys/net, without the interface: `ipv4/conf/rp_filter`.
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

extension VirtualFunctionConfig {
    fileprivate func overlaid(by other: VirtualFunctionConfig) -> VirtualFunctionConfig {
        var result = self
        result.vlan = other.vlan ?? vlan
        result.trust = other.trust ?? trust
        result.spoofCheck = other.spoofCheck ?? spoofCheck
        result.minTxRate = other.minTxRate ?? minTxRate
        result.maxTxRate = other.maxTxRate ?? maxTxRate
        return result
    }
}

private func merged<Value>(_ base: [String: Value]?, _ other: [String: Value]?) -> [String: Value]? {
    guard let base, let other else { return other ?? base }
    return base.merging(other) { _, new in new }
}
