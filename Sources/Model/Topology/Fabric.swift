// SPDX-License-Identifier: Apache-2.0

package import Hardware
import NetworkModel

/// The roles of a machine's NICs: fabric of the accelerators, uplinks, and other purposes.
///
/// The fabric is one kind of NIC: the kind with the most ports among those with RDMA. Otherwise a management ConnectX or a storage NIC
/// next to eight NICs of another kind would be paired with an accelerator.
package struct Fabric: Sendable {
    /// Fabric NICs in the machine's own order.
    package let nics: [Device]
    /// NICs without a link that would otherwise be fabric NICs.
    package let down: [Device]
    private let reasons: [String: RoleReason]
    /// Addresses of NICs to which the policy gives a role.
    private let named: Set<String>

    /// NICs that form one network.
    private struct Kind: Hashable {
        enum Part: Int { case whole, virtual, sub }

        var vendor: String
        var device: String
        var part: Part
        var linkLayer: String?

        var text: String {
            let suffix =
                switch part {
                case .whole: ""
                case .virtual: " virtual functions"
                case .sub: " sub-functions"
                }
            return "\(vendor):\(device)\(suffix)" + (linkLayer == "Unspecified" ? "" : linkLayer.map { " (\($0))" } ?? "")
        }
    }

    package init(_ machine: Machine, policy: TopologyPolicy = TopologyPolicy()) {
        self.init(machine, devices: machine.devices, policy: policy)
    }

    /// - Parameter devices: devices of the machine.
    init(_ machine: Machine, devices: [Device], policy: TopologyPolicy) {
        let nics = devices.filter { $0.kind == .nic }
        var reasons: [String: RoleReason] = [:]
        var candidates: [Device] = []
        let parents = Set(machine.functions.compactMap(\.physicalFunction))
        // A pod with a physical function could disable its virtual functions and sub-functions.
        var usedParts: [PCIAddress: (part: Device, use: HostUse)] = [:]
        for nic in nics {
            guard let use = nic.hostUse, !use.yieldsToPolicy,
                let parent = nic.subFunction == nil ? nic.function?.physicalFunction : nic.function?.address
            else { continue }
            usedParts[parent] = usedParts[parent] ?? (nic, use)
        }
        let isNamed = policy.roles[.fabric]?.isEmpty == false
        let hasRDMA = nics.contains { $0.function != nil && $0.isRDMACapable && !$0.isUplink }
        var named: Set<String> = []
        for nic in nics {
            func set(_ role: Role, _ reason: String) { reasons[nic.address] = RoleReason(role: role, reason: reason) }
            let role = policy.role(of: nic)
            if let use = nic.hostUse, !use.yieldsToPolicy || role == nil && !nic.isRDMACapable {
                set(.uplink, use.description)
            } else if nic.subFunction == nil, let used = nic.function.flatMap({ usedParts[$0.address] }) {
                set(.uplink, "of its part \(used.part.address), \(used.use)")
            } else if let (role, selector) = role {
                named.insert(nic.address)
                if role == .fabric, nic.function != nil { candidates.append(nic) }
                set(role, "selected by the policy: \(selector)")
            } else if isNamed {
                set(nic.isRDMACapable ? .storage : .general, "the policy selects other NICs for the fabric")
            } else if nic.function == nil {
                set(.general, "a virtual interface")
            } else if !nic.isRDMACapable, hasRDMA || !Self.isFast(nic) {
                set(.general, "no RDMA")
            } else if nic.subFunction == nil, let address = nic.function?.address, parents.contains(address) {
                set(.general, "its virtual functions are published instead")
            } else {
                candidates.append(nic)
            }
        }
        if !isNamed {
            let chosen = Self.dominant(candidates)
            let members = Set(chosen.nics.map(\.address))
            for nic in candidates where !members.contains(nic.address) {
                reasons[nic.address] = Self.other(nic, than: chosen, on: machine)
            }
            for nic in chosen.nics {
                reasons[nic.address] = RoleReason(
                    role: .fabric, reason: "one of \(chosen.nics.count) x \(chosen.name), the kind with the most ports")
            }
            candidates = chosen.nics
        }
        for nic in candidates where Self.isLinkDown(nic) {
            reasons[nic.address] = RoleReason(role: .general, reason: "a fabric NIC without a link")
        }
        self.nics = candidates.filter { !Self.isLinkDown($0) }.sorted(by: Device.areInOrder)
        down = candidates.filter(Self.isLinkDown)
        self.reasons = reasons
        self.named = named
    }

    /// Returns true for a NIC to which the policy gives a role.
    func isNamed(_ device: Device) -> Bool { named.contains(device.address) }

    /// Returns the role of a device, and the reason for it.
    package func role(of device: Device) -> RoleReason {
        if device.kind == .accelerator { return RoleReason(role: .compute, reason: "an accelerator") }
        return reasons[device.address] ?? RoleReason(role: .general, reason: "not a NIC of this machine")
    }

    private static func kind(_ nic: Device) -> Kind {
        let part: Kind.Part = nic.subFunction != nil ? .sub : nic.function?.physicalFunction != nil ? .virtual : .whole
        return Kind(
            vendor: nic.function?.vendor ?? "", device: nic.function?.device ?? "", part: part,
            linkLayer: nic.rdmaDevices.first?.ports.first?.linkLayer)
    }

    /// Returns the kind with the most ports; among equal ones the fastest, then physical functions, then the first on the bus.
    private static func dominant(_ candidates: [Device]) -> (name: String, nics: [Device]) {
        var kinds: [(kind: Kind, rate: Double?, nics: [Device])] = []
        for (kind, nics) in Dictionary(grouping: candidates, by: kind) {
            // Single ports that negotiated a low rate belong to the fabric; if half of the ports are slower, they are a separate network.
            // A port without a link reports the lowest rate and does not count.
            let rates = Dictionary(grouping: nics.compactMap(activeRate), by: { $0 }).mapValues(\.count)
            let most = rates.max { ($0.value, $0.key) < ($1.value, $1.key) }
            let others = rates.filter { $0.key != most?.key && $0.value * 2 >= most?.value ?? 0 }
            for rate in others.keys { kinds.append((kind, rate, nics.filter { activeRate($0) == rate })) }
            kinds.append((kind, most?.key, nics.filter { activeRate($0).map { others[$0] == nil } ?? true }))
        }
        func ports(_ nics: [Device]) -> Int { Set(nics.map { $0.function?.physicalFunction ?? $0.function?.address }).count }
        let best = kinds.max { left, right in
            let first = left.nics.compactMap(\.function?.address).min() ?? .last
            let second = right.nics.compactMap(\.function?.address).min() ?? .last
            return (ports(left.nics), left.rate ?? 0, right.kind.part.rawValue, second)
                < (ports(right.nics), right.rate ?? 0, left.kind.part.rawValue, first)
        }
        return (best?.kind.text ?? "", best?.nics ?? [])
    }

    private static func activeRate(_ nic: Device) -> Double? {
        nic.rdmaDevices.flatMap(\.ports).contains { $0.state != "DOWN" } ? nic.portGbps : nil
    }

    /// Returns the role of an RDMA NIC outside the fabric.
    private static func other(_ nic: Device, than fabric: (name: String, nics: [Device]), on machine: Machine) -> RoleReason {
        let name = "\(kind(nic).text) beside \(fabric.nics.count) x \(fabric.name)"
        if let function = nic.function, Catalog.isNVLinkManager(function, on: machine) {
            return RoleReason(role: .management, reason: "\(name): manages the NVLink switches")
        }
        return RoleReason(role: .storage, reason: "\(name): another kind than the fabric")
    }

    /// Returns true if no port has a link. Ethernet ports do not count: they are down until the pod brings the interface up.
    private static func isLinkDown(_ nic: Device) -> Bool {
        let ports = nic.rdmaDevices.flatMap(\.ports)
        return !ports.isEmpty && ports.allSatisfy { $0.linkLayer != "Ethernet" && $0.state == "DOWN" }
    }

    /// Returns true for a NIC that can be the fabric of a machine without RDMA.
    private static func isFast(_ nic: Device) -> Bool {
        nic.function.map(Catalog.isFastWithoutRDMA) == true || (nic.portGbps ?? 0) >= 50
    }
}

extension PCIAddress {
    fileprivate static let last = PCIAddress(domain: .max, bus: .max, device: 31, function: 7)
}
