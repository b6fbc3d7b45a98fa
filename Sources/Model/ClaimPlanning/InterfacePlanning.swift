// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import Hardware
import JournalModel
import NetworkModel
import ResourceAPI

/// What the driver of an interface can do, as it tells by ethtool.
package struct InterfaceFacts: Hashable, Sendable {
    /// Nil when it was not asked or does not say.
    package var features: Set<String>?
    package var privateFlags: Set<String>?

    package init(features: Set<String>? = nil, privateFlags: Set<String>? = nil) {
        self.features = features
        self.privateFlags = privateFlags
    }
}

extension ClaimPlanner {
    /// Kernels before 6.13 do not make an interface in a pod under a name that an interface of the host has (rtnl_newlink).
    private static func defaultName(_ host: String, isStacked: Bool) -> String { isStacked ? String("p-\(host)".prefix(15)) : host }

    /// How the interface of a device is to be in the pod; nil for a device without one.
    ///
    /// - Parameter place: of the interfaces with the same configuration, which this is.
    func interface(for member: Member, place: Int, of count: Int, _ problems: inout [String]) -> InterfacePlan? {
        guard member.hasInterface, let netdev = member.device.netdevs.first else { return nil }
        var found: [String] = []
        defer { problems += found.map { "\(member.label): \($0)" } }
        let wish = member.wish
        let config = wish.interface
        if member.result.adminAccess == true {
            // It stays with whoever has it.
            return nil
        }
        var name = config.name ?? Self.defaultName(netdev.name, isStacked: config.child != nil)
        if config.name != nil, count > 1 {
            // One name for several devices: they are numbered.
            name += String(place)
            if config.addresses?.isEmpty == false {
                found.append("interface.addresses: one set of addresses cannot serve \(count) devices; give each a request of its own")
            }
            if config.hardwareAddress != nil {
                found.append("interface.hardwareAddr: one address cannot serve \(count) devices; give each a request of its own")
            }
        }
        if !InterfaceNames.isUsable(name) {
            found.append(
                "interface.name: \(ProblemText.quoted(name)) is reserved, too long or no name; give it another with interface.name")
        }
        if member.result.shareID != nil, config.child == nil {
            found.append(
                "interface.subInterface: device \(member.result.device) is shared; say which kind of interface each claim gets on it")
        }
        for (name, isAsked) in [("dhcp", config.dhcp), ("dhcp6", config.dhcp6)] where isAsked == true && config.child?.kind == .ipvlan {
            found.append("interface.\(name): a server cannot tell an ipvlan from its parent, whose hardware address it has; use macvlan")
        }
        check(wish, netdev, member.device, &found)
        var plan = InterfacePlan(
            hostName: netdev.name, name: name, mtu: config.mtu, hardwareAddress: config.hardwareAddress, addresses: config.addresses)
        plan.parentDevice = netdev.parentDevice
        // Some drivers take what the physical function says for the permanent address of a virtual one.
        if member.device.function?.physicalFunction == nil {
            plan.permanentAddress = netdev.permanentMAC.flatMap { HardwareAddress(parsing: $0) }
        }
        if config.dhcp == true { plan.dhcp = true }
        if config.dhcp6 == true { plan.dhcp6 = true }
        plan.dhcpRoutes = config.dhcp == true ? config.dhcpRoutes : nil
        plan.child = config.child
        // An interface that is made for the pod has nothing on the host.
        if plan.child != nil, plan.addresses == nil, plan.leaseFamilies.isEmpty { plan.addresses = [] }
        plan.routes = wish.routes ?? []
        plan.rules = wish.rules ?? []
        plan.neighbours = wish.neighbours ?? []
        func size(_ value: Int?) -> UInt32? { value.map { UInt32(clamping: $0) } }
        let sizes = SegmentSizes(
            gso: size(config.gsoMaxSize), gro: size(config.groMaxSize), gsoIPv4: size(config.gsoIPv4MaxSize),
            groIPv4: size(config.groIPv4MaxSize))
        if sizes != SegmentSizes() { plan.sizes = sizes }
        if !config.settings.isEmpty { plan.sysctls = config.settings }
        plan.features = features(wish.features ?? [:], netdev, &found)
        plan.privateFlags = privateFlags(wish.privateFlags ?? [:], netdev, &found)
        plan.vrf = config.vrf
        if config.detachesPrograms == true { plan.detachesPrograms = true }
        return plan
    }

    /// What can be known to be wrong before the kernel says so, when the pod starts and the user sees less of it.
    private func check(_ wish: NetworkConfig, _ netdev: Netdev, _ device: Device, _ found: inout [String]) {
        let config = wish.interface
        if let mtu = config.mtu {
            let upper = config.child == nil ? netdev.maximalMTU : netdev.mtu ?? netdev.maximalMTU
            if mtu < netdev.minimalMTU ?? 0 || mtu > upper ?? Int(UInt32.max) {
                found.append(
                    "interface.mtu: \(mtu) is outside of what \(netdev.name) can have, \(netdev.minimalMTU ?? 0) to \(upper.map(String.init) ?? "any")"
                )
            } else if let parent = physicalFunction(of: device), let most = parent.mtu, mtu > most {
                found.append("interface.mtu: \(mtu) is more than the physical function, \(parent.name), has: \(most)")
            }
        }
        if let address = config.hardwareAddress, let own = netdev.mac.flatMap({ HardwareAddress(parsing: $0) }),
            address.bytes.count != own.bytes.count
        {
            found.append("interface.hardwareAddr: has \(address.bytes.count) bytes; an address of \(netdev.name) has \(own.bytes.count)")
        }
        // A gateway has to lie in the network of an address or of a route on the link.
        let routes = wish.routes ?? []
        let asksServer = config.dhcp == true || config.dhcp6 == true
        let hosts = config.child == nil && !asksServer ? netdev.addresses.compactMap { IPPrefix(parsing: $0) } : []
        let addresses = config.addresses ?? hosts
        let reachable = addresses + routes.filter { $0.gateway == nil }.map(\.destination)
        for (index, route) in routes.enumerated() {
            let isBehindLease = config.dhcp == true || (config.dhcp6 == true && route.destination.address.isV6)
            if let source = route.source, !isBehindLease, !addresses.contains(where: { $0.address == source }) {
                found.append("routes[\(index)].source: \(source) is no address of the interface")
            }
            guard let gateway = route.gateway, !(gateway.isV6 && gateway.isLinkLocal), route.isOnLink != true, !isBehindLease else {
                continue
            }
            if !reachable.contains(where: { $0.contains(gateway) }) {
                found.append("routes[\(index)].gateway: no address of the interface and no route on the link reaches \(gateway)")
            }
        }
    }

    // MARK: ethtool

    private func features(_ wish: [String: Bool], _ netdev: Netdev, _ found: inout [String]) -> [String: Bool]? {
        let known = facts[netdev.name]?.features
        var result: [String: Bool] = [:]
        for (name, value) in wish.sorted(by: { $0.key < $1.key }) {
            let names = EthtoolNames.kernelNames(name).filter { known?.contains($0) ?? true }
            if names.isEmpty { found.append("ethtool.features.\(name): \(netdev.name) has no such feature; see ethtool -k \(netdev.name)") }
            for name in names { result[name] = value }
        }
        return result.isEmpty ? nil : result
    }

    private func privateFlags(_ wish: [String: Bool], _ netdev: Netdev, _ found: inout [String]) -> [String: Bool]? {
        for name in wish.keys.sorted() {
            if let known = facts[netdev.name]?.privateFlags, !known.contains(name) {
                let all = known.isEmpty ? "it has none" : "it has \(known.sorted().joined(separator: ", "))"
                found.append("ethtool.privateFlags.\(name): the driver of \(netdev.name) has no such flag; \(all)")
            }
        }
        return wish.isEmpty ? nil : wish
    }

    // MARK: SR-IOV

    /// The interface of the function that a virtual one belongs to.
    private func physicalFunction(of device: Device) -> Netdev? {
        guard let address = device.function?.physicalFunction else { return nil }
        return devices.values.first { $0.function?.address == address && $0.subFunction == nil }?.netdevs.first
    }

    /// What the physical function is told of a virtual one.
    func virtualFunction(of member: Member, _ problems: inout [String]) -> VirtualFunctionPlan? {
        let wish = member.wish.virtualFunction
        let address = member.wish.interface.child == nil ? member.wish.interface.hardwareAddress : nil
        let isAsked = wish != VirtualFunctionConfig()
        guard member.device.kind == .nic else { return nil }
        guard let number = member.device.function?.virtualFunctionIndex, let parent = physicalFunction(of: member.device) else {
            if isAsked, member.hasInterface {
                problems.append(
                    "\(member.label): sriov: device \(member.result.device) is no virtual function whose physical one is on this node")
            }
            return nil
        }
        guard isAsked || address != nil else { return nil }
        var plan = VirtualFunctionPlan(parent: parent.name, number: UInt32(clamping: number))
        // Only an address that the physical function has given may be used: others are dropped where spoofing is checked.
        plan.hardwareAddress = address
        plan.vlan = wish.vlan
        plan.isTrusted = wish.isTrusted
        plan.checksSpoofing = wish.checksSpoofing
        plan.minimalRate = wish.minimalRate
        plan.maximalRate = wish.maximalRate
        return plan
    }
}
