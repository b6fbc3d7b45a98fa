// SPDX-License-Identifier: Apache-2.0

import Addressing
package import CDI
import ClaimConfig
package import Hardware
package import Journal
package import ResourceAPI

/// A claim that cannot be prepared: why, and what to do.
package struct ClaimError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// Turns an allocated claim into what is to be done on this node. Pure.
package struct ClaimPlanner: Sendable {
    package var driver: String
    /// Devices of this node by their name in slices.
    package var devices: [String: Device]
    /// Names of the members' devices, by that of a pair or set of pairs.
    package var groups: [String: [String]]
    /// The hook that holds containers back, as the host sees it; nil to do without.
    package var gatePath: String?
    /// The socket it asks, as the host sees it.
    package var gateSocket: String

    package init(driver: String, devices: [String: Device], groups: [String: [String]] = [:], gatePath: String?, gateSocket: String) {
        self.driver = driver
        self.devices = devices
        self.groups = groups
        self.gatePath = gatePath
        self.gateSocket = gateSocket
    }

    package struct Outcome: Hashable, Sendable {
        package var plan: ClaimPlan
        /// Nil when the claim gives containers nothing.
        package var spec: Spec?
    }

    /// Names in a pod that are not ours to give: the loopback, and the pod network's interface.
    private static let reservedNames = ["lo", "eth0"]

    /// - Parameter others: the plans of all claims on this node, that of this one too if there is one.
    package func plan(_ claim: ResourceClaim, others: [ClaimPlan]) throws(ClaimError) -> Outcome {
        let identity = ClaimIdentity(
            namespace: claim.metadata.namespace ?? "", name: claim.metadata.name ?? "", uid: claim.metadata.uid ?? "")
        guard let allocation = claim.status?.allocation else {
            throw ClaimError("claim \(identity) is not allocated")
        }
        let allocated = (allocation.devices.results ?? []).filter { $0.driver == driver }
        // A pair is all its members, each as if it had been allocated for the same request. What a pair is can change when
        // a device is lost; a claim that has its members keeps them.
        let existing = others.first { $0.claim.uid == identity.uid }
        let members = allocated.flatMap { result in
            let kept = (existing?.devices ?? []).filter { $0.group == result.device && $0.pool == result.pool }.map(\.device)
            let names = kept.isEmpty ? groups[result.device] : kept
            return (names ?? [result.device]).map { (name: $0, group: names == nil ? nil : result.device, result) }
        }
        let results = members.map { member in
            var result = member.2
            result.device = member.name
            return result
        }
        let pods = (claim.status?.reservedFor ?? []).filter { $0.resource == "pods" }.map(\.uid)
        let wishes = try wishes(results, allocation.devices.config ?? [], identity)
        var planned: [DevicePlan] = []
        for (index, result) in results.enumerated() {
            let device = try device(result, identity)
            try refuseHeld(result, identity, others)
            let interface = try interface(
                for: device, result, wishes[index],
                isOneOf: results.indices.filter { wishes[$0] == wishes[index] && hasInterface(results[$0]) }, index,
                identity)
            planned.append(
                DevicePlan(
                    pool: result.pool, device: result.device, request: result.request, group: members[index].group,
                    shareID: result.shareID, cdiDeviceIDs: [], interface: interface))
        }
        try refuseDoubleNames(planned, pods, identity, others)
        let spec = spec(planned, identity)
        for index in planned.indices {
            if let spec, let entry = spec.devices.first(where: { $0.name == Self.cdiName(identity, planned[index]) }) {
                planned[index].cdiDeviceIDs = [spec.qualifiedName(of: entry)]
            }
        }
        return Outcome(plan: ClaimPlan(claim: identity, pods: pods, devices: planned), spec: spec)
    }

    private func hasInterface(_ result: AllocatedDevice) -> Bool {
        devices[result.device].map { $0.kind == .nic && !$0.netdevs.isEmpty } ?? false
    }

    private func device(_ result: AllocatedDevice, _ claim: ClaimIdentity) throws(ClaimError) -> Device {
        guard let device = devices[result.device] else {
            throw ClaimError(
                "claim \(claim): device \(result.device) is not on this node any more; delete the pod to have it allocated anew")
        }
        return device
    }

    private func refuseHeld(
        _ result: AllocatedDevice, _ claim: ClaimIdentity, _ others: [ClaimPlan]
    ) throws(ClaimError) {
        guard result.adminAccess != true else { return }
        for other in others where other.claim.uid != claim.uid {
            // A share is one of several allocations that the scheduler counts.
            func isHolding(_ plan: DevicePlan) -> Bool {
                plan.device == result.device && plan.pool == result.pool && (result.shareID == nil || plan.shareID == nil)
            }
            if other.devices.contains(where: isHolding) {
                throw ClaimError("claim \(claim): device \(result.device) is still held by claim \(other.claim)")
            }
        }
    }

    // MARK: Configuration

    /// The configuration of each result: the class's, with the claim's laid over it.
    private func wishes(
        _ results: [AllocatedDevice], _ configs: [AllocationConfig], _ claim: ClaimIdentity
    ) throws(ClaimError) -> [NetworkConfig] {
        var decoded: [(AllocationConfig, NetworkConfig)] = []
        for (index, config) in configs.enumerated() {
            guard let opaque = config.opaque, opaque.driver == driver else { continue }
            do throws(InvalidConfig) { decoded.append((config, try NetworkConfig(opaque.parameters))) } catch {
                throw ClaimError("claim \(claim): configuration \(index) (\(config.source.rawValue)): \(error)")
            }
        }
        return results.map { result in
            var wish = NetworkConfig()
            for source in [AllocationConfig.Source.fromClass, .fromClaim] {
                for (config, network) in decoded where config.source == source && config.applies(to: result) {
                    wish = wish.overlaid(by: network)
                }
            }
            return wish
        }
    }

    private func interface(
        for device: Device, _ result: AllocatedDevice, _ wish: NetworkConfig, isOneOf alike: [Int], _ index: Int,
        _ claim: ClaimIdentity
    ) throws(ClaimError) -> InterfacePlan? {
        guard let netdev = device.netdevs.first else {
            if result.shareID != nil, wish != NetworkConfig() {
                throw ClaimError(
                    "claim \(claim): request \(result.request): device \(result.device) is shared and has no interface: a network configuration cannot be for it"
                )
            }
            // Accelerators and RDMA devices without an interface share requests with those that have one.
            return nil
        }
        if device.kind == .accelerator { return nil }
        var name = wish.name ?? netdev.name
        if wish.name != nil, alike.count > 1 {
            // One name for several devices: they are numbered.
            name += String(alike.firstIndex(of: index) ?? 0)
            if let addresses = wish.addresses, !addresses.isEmpty {
                throw ClaimError(
                    "claim \(claim): request \(result.request): interface.addresses: one set of addresses cannot serve \(alike.count) devices"
                )
            }
        }
        guard NetworkConfig.isInterfaceName(name), !Self.reservedNames.contains(name) else {
            throw ClaimError("claim \(claim): request \(result.request): interface.name: \"\(name)\" is reserved or too long")
        }
        try refuseUnreachable(wish, netdev, result, claim)
        if let mtu = wish.mtu, mtu < netdev.minimalMTU ?? 0 || mtu > netdev.maximalMTU ?? Int(UInt32.max) {
            throw ClaimError(
                "claim \(claim): request \(result.request): interface.mtu: \(mtu) is outside of what \(netdev.name) can have, \(netdev.minimalMTU ?? 0) to \(netdev.maximalMTU.map(String.init) ?? "any")"
            )
        }
        return InterfacePlan(
            hostName: netdev.name, name: name, mtu: wish.mtu, hardwareAddress: wish.hardwareAddress,
            addresses: wish.addresses,
            routes: (wish.routes ?? []).map { RoutePlan(destination: $0.destination, gateway: $0.gateway, source: $0.source) })
    }

    /// A gateway has to lie in the network of an address or of a route on the link; the kernel would refuse
    /// the route when the pod starts, which is too late to tell the user well.
    private func refuseUnreachable(
        _ wish: NetworkConfig, _ netdev: Netdev, _ result: AllocatedDevice, _ claim: ClaimIdentity
    ) throws(ClaimError) {
        let routes = wish.routes ?? []
        let addresses = wish.addresses ?? netdev.addresses.compactMap { IPPrefix(parsing: $0) }
        let reachable = addresses + routes.filter { $0.gateway == nil }.map(\.destination)
        for (index, route) in routes.enumerated() {
            guard let gateway = route.gateway, !(gateway.isV6 && gateway.isLinkLocal) else { continue }
            if !reachable.contains(where: { $0.contains(gateway) }) {
                throw ClaimError(
                    "claim \(claim): request \(result.request): routes[\(index)].gateway: no address of the interface and no route on the link reaches \(gateway)"
                )
            }
        }
    }

    /// Two interfaces of one pod cannot have one name, also when they come by different claims.
    private func refuseDoubleNames(
        _ planned: [DevicePlan], _ pods: [String], _ claim: ClaimIdentity, _ others: [ClaimPlan]
    ) throws(ClaimError) {
        var holders: [String: String] = [:]
        for other in others where other.claim.uid != claim.uid && !Set(other.pods).isDisjoint(with: pods) {
            for device in other.devices { if let name = device.interface?.name { holders[name] = "claim \(other.claim)" } }
        }
        for device in planned {
            guard let name = device.interface?.name else { continue }
            if let holder = holders.updateValue("device \(device.device)", forKey: name) {
                throw ClaimError("claim \(claim): interface.name: \"\(name)\" is taken in the pod by \(holder)")
            }
        }
    }

    // MARK: CDI

    /// Two shares of one device can be in one claim.
    private static func cdiName(_ claim: ClaimIdentity, _ device: DevicePlan) -> String {
        "\(claim.uid)-\(device.device)" + (device.shareID.map { "-\($0.prefix(8))" } ?? "")
    }

    /// The hook may take longer than the gate's own patience.
    private static let hookSeconds = 30

    private func spec(_ planned: [DevicePlan], _ claim: ClaimIdentity) -> Spec? {
        guard !planned.isEmpty else { return nil }
        let gate = gatePath.map { path in
            Hook(
                hookName: "createRuntime", path: path,
                args: ["nearside-gate", "--claim", claim.uid, "--socket", gateSocket], timeout: Self.hookSeconds)
        }
        let holdsBack = planned.contains { $0.interface != nil }
        return Spec(
            kind: "\(driver)/claim",
            devices: planned.map { plan in
                let device = devices[plan.device]
                let nodes = ((device?.charDevices ?? []) + (device?.sharedCharDevices ?? [])).map {
                    DeviceNode(path: $0.path, major: $0.major, minor: $0.minor)
                }
                // A variable for each device tells the workload what it was given; it also keeps the
                // edits from being empty, which would make runtimes refuse the file.
                let variable = "NEARSIDE_" + plan.device.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
                return SpecDevice(
                    name: Self.cdiName(claim, plan),
                    containerEdits: ContainerEdits(
                        env: ["\(variable)=\(plan.interface?.name ?? device?.address ?? plan.device)"],
                        deviceNodes: nodes.isEmpty ? nil : nodes))
            },
            // Once for the container, however many devices of the claim it has.
            containerEdits: holdsBack ? gate.map { ContainerEdits(hooks: [$0]) } : nil)
    }
}
