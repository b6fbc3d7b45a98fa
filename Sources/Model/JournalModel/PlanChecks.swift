// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Limits of plans, for the daemon that writes them and for the daemon that must treat them as hostile. The limits of lists equal those
/// of claims' configurations (`ClaimConfig`).
enum PlanLimits {
    /// The limit of a file in bytes.
    static let size = 1 << 20
    static let pods = 8192
    static let devices = 128
    static let cdiDeviceIDs = 64
    static let addresses = 32
    static let routes = 128
    static let rules = 64
    static let neighbours = 256
    /// Entries of `interface.sysctls`, plus sysctls with their own fields.
    static let sysctls = 32 + 8
    static let flags = 128
    static let variables = 256
    static let nodes = 128
}

extension ClaimPlan: JournalValue {
    package static let sizeLimit = PlanLimits.size
    package var fileUID: String { claim.uid }

    package var features: Set<JournalFeature> {
        var used: Set<JournalFeature> = isOpen == nil ? [] : [.openClaim]
        if containers != nil { used.insert(.containers) }
        for device in devices { used.formUnion(device.features) }
        return used
    }

    /// The violations of a plan's limits. Pure.
    package var problems: [JournalProblem] {
        var checks = JournalChecks()
        claim.check(&checks, "claim")
        checks.count(pods.count, PlanLimits.pods, "pods")
        checks.unique(pods, "pods")
        for (index, pod) in pods.enumerated() { checks.uid(pod, "pods[\(index)]") }
        checks.count(devices.count, PlanLimits.devices, "devices")
        checks.unique(devices.map { [$0.device, $0.shareID, $0.request] }, "devices")
        // The CDI specification's builder checks the content of these texts.
        checks.count(containers?.environment.count, PlanLimits.variables, "containers.environment")
        checks.count(containers?.describedRequests.count, PlanLimits.devices, "containers.describedRequests")
        let interfaces = devices.compactMap(\.interface)
        checks.unique(interfaces.map(\.name), "names of interfaces")
        checks.unique(interfaces.filter { $0.child == nil }.map(\.hostName), "interfaces of the host")
        for (index, device) in devices.enumerated() { device.check(&checks, "devices[\(index)]") }
        return checks.problems
    }
}

extension ClaimIdentity {
    func check(_ checks: inout JournalChecks, _ path: String) {
        checks.plain(namespace, 253, "\(path).namespace")
        checks.plain(name, 253, "\(path).name")
        checks.uid(uid, "\(path).uid")
    }
}

extension DevicePlan {
    fileprivate var features: Set<JournalFeature> {
        var used: Set<JournalFeature> = interface?.usedFeatures ?? []
        if rdmaDevice != nil { used.insert(.rdmaDevice) }
        if virtualFunction != nil { used.insert(.virtualFunction) }
        if access != nil { used.insert(.deviceNodes) }
        return used
    }

    fileprivate func check(_ checks: inout JournalChecks, _ path: String) {
        checks.plain(pool, 253, "\(path).pool", withSlashes: true)
        checks.plain(device, 63, "\(path).device")
        checks.plain(request, 127, "\(path).request", withSlashes: true)
        checks.plain(group, 63, "\(path).group")
        checks.plain(shareID, 128, "\(path).shareID")
        checks.plain(rdmaDevice, 63, "\(path).rdmaDevice")
        checks.count(cdiDeviceIDs.count, PlanLimits.cdiDeviceIDs, "\(path).cdiDeviceIDs")
        for id in cdiDeviceIDs { checks.text(id, 512, "\(path).cdiDeviceIDs") }
        checks.count(access?.nodes.count, PlanLimits.nodes, "\(path).access.nodes")
        checks.text(access?.address, 64, "\(path).access.address")
        for node in access?.nodes ?? [] { checks.text(node.path, 256, "\(path).access.nodes") }
        interface?.check(&checks, "\(path).interface")
        if let function = virtualFunction {
            let path = "\(path).virtualFunction"
            checks.hostInterface(function.parent, "\(path).parent")
            checks.hardwareAddress(function.settings.hardwareAddress, "\(path).hardwareAddress")
            // SR-IOV numbers functions with 16 bits; a VLAN has 12.
            checks.expect(function.number <= 0xffff, .range, "\(path).number", "is \(function.number)")
            checks.expect((function.settings.vlan ?? 0) <= 4094, .range, "\(path).vlan", "is not a VLAN")
        }
    }
}

extension InterfacePlan {
    fileprivate var usedFeatures: Set<JournalFeature> {
        let used: [(JournalFeature, Bool)] = [
            (.subInterface, child != nil), (.dhcp, dhcp != nil), (.dhcp6, dhcp6 != nil), (.vrf, vrf != nil), (.rules, !rules.isEmpty),
            (.neighbours, !neighbours.isEmpty), (.segmentSizes, sizes != nil), (.sysctls, sysctls != nil),
            (.deviceFeatures, features != nil), (.privateFlags, privateFlags != nil), (.detachesPrograms, detachesPrograms != nil),
            (.identity, parentDevice != nil || permanentAddress != nil),
        ]
        return Set(used.filter(\.1).map(\.0))
    }

    fileprivate func check(_ checks: inout JournalChecks, _ path: String) {
        checks.hostInterface(hostName, "\(path).hostName")
        // An interface without a configured name keeps the host's name.
        let isFree =
            JournalNames.isPodInterface(name)
            || (name == hostName && JournalNames.isHostInterface(name) && !JournalNames.reserved.contains(name))
        checks.expect(
            isFree, .name, "\(path).name", "is not a name for an interface in a pod: at most 15 of a-z, 0-9 and -, and not reserved")
        if let mtu { checks.expect((68...65535).contains(mtu), .range, "\(path).mtu", "is \(mtu), outside of 68 to 65535") }
        checks.hardwareAddress(hardwareAddress, "\(path).hardwareAddress")
        checks.hardwareAddress(permanentAddress, "\(path).permanentAddress")
        checks.text(parentDevice, 63, "\(path).parentDevice")
        checks.count(addresses?.count, PlanLimits.addresses, "\(path).addresses")
        checks.unique(addresses ?? [], "\(path).addresses")
        checks.count(routes.count, PlanLimits.routes, "\(path).routes")
        checks.count(rules.count, PlanLimits.rules, "\(path).rules")
        checks.count(neighbours.count, PlanLimits.neighbours, "\(path).neighbours")
        checkChild(&checks, "\(path).child")
        checkRoutes(&checks, path)
        checkSettings(&checks, path)
    }

    private func checkChild(_ checks: inout JournalChecks, _ path: String) {
        guard let child else { return }
        switch child.kind {
        // MACVLAN_MODE_PRIVATE to SOURCE, IPVLAN_MODE_L2 to L3S (linux/if_link.h).
        case .macvlan: checks.expect([nil, 1, 2, 4, 8, 16].contains(child.mode) && child.vlan == nil, .range, path, "is not a macvlan")
        case .ipvlan: checks.expect((child.mode ?? 0) <= 2 && child.vlan == nil, .range, path, "is not an ipvlan")
        case .vlan: checks.expect(child.mode == nil && (1...4094).contains(child.vlan ?? 0), .range, path, "is not a VLAN")
        }
    }

    private func checkRoutes(_ checks: inout JournalChecks, _ path: String) {
        for (index, route) in routes.enumerated() {
            let place = "\(path).routes[\(index)]"
            // The table of local addresses is the kernel's own (RT_TABLE_LOCAL).
            checks.expect(route.table != 255 && route.table != 0, .range, "\(place).table", "is a table of the kernel")
            for address in [route.gateway, route.source].compactMap({ $0 }) where address.isV6 != route.destination.address.isV6 {
                checks.add(.range, place, "has addresses of both families")
            }
        }
        for (index, rule) in rules.enumerated() {
            let place = "\(path).rules[\(index)]"
            checks.table(rule.table, "\(place).table")
            let plain = Rule(
                source: rule.source, table: rule.table, destination: rule.destination, priority: rule.priority, isV6: rule.isV6)
            checks.expect(rule == plain, .forbidden, place, "has fields other than source, destination, table and priority")
            let families = [rule.source, rule.destination].compactMap { $0?.address.isV6 }
            checks.expect(families.allSatisfy { $0 == rule.isV6 }, .range, place, "has addresses of both families")
        }
        for (index, neighbour) in neighbours.enumerated() {
            checks.hardwareAddress(neighbour.hardwareAddress, "\(path).neighbours[\(index)].hardwareAddress")
        }
        if let vrf {
            checks.expect(JournalNames.isPodInterface(vrf.name) && vrf.name != name, .name, "\(path).vrf.name", "is not a name of a VRF")
            checks.table(vrf.table, "\(path).vrf.table")
        }
    }

    private func checkSettings(_ checks: inout JournalChecks, _ path: String) {
        checks.count(sysctls?.count, PlanLimits.sysctls, "\(path).sysctls")
        for (key, value) in sysctls ?? [:] {
            checks.expect(
                JournalNames.isSysctl(key), .name, "\(path).sysctls", "has a key that is not FAMILY/conf/NAME or FAMILY/neigh/NAME")
            checks.text(value, 128, "\(path).sysctls")
        }
        for (field, flags) in [("features", features), ("privateFlags", privateFlags)] {
            checks.count(flags?.count, PlanLimits.flags, "\(path).\(field)")
            // ETH_GSTRING_LEN (linux/ethtool.h) includes the terminator.
            for name in (flags ?? [:]).keys { checks.text(name, 31, "\(path).\(field)") }
        }
    }
}
