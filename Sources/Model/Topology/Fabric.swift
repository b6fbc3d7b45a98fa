// SPDX-License-Identifier: Apache-2.0

package import Hardware
import NetworkModel

/// What a device is there for.
package enum Role: String, Sendable, Codable {
    /// Takes part in pairing.
    case fabric
    /// Can do RDMA, but is not for accelerators to talk over.
    case storage
    /// Serves the machine itself.
    case management
    /// In use by the host itself: never published, never moved.
    case uplink
    /// Any other NIC.
    case general
    /// An accelerator.
    case compute
}

/// A role, and why a device has it.
package struct RoleReason: Hashable, Sendable {
    package var role: Role
    package var reason: String

    package init(role: Role, reason: String) {
        self.role = role
        self.reason = reason
    }
}

/// Which NICs of a machine make up the fabric that accelerators talk over, and what the others are for.
///
/// Only one kind of NIC does: that with the most ports among those that can do RDMA. A management ConnectX
/// or a storage NIC beside eight of another kind would otherwise take an accelerator's place.
package struct Fabric: Sendable {
    /// In the machine's own order.
    package let nics: [Device]
    /// Those that would be among them if they had a link.
    package let down: [Device]
    private let reasons: [String: RoleReason]
    /// Addresses of NICs that the policy names.
    private let named: Set<String>

    /// NICs that are given out as one network.
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

    /// - Parameter devices: those of the machine.
    init(_ machine: Machine, devices: [Device], policy: TopologyPolicy) {
        let nics = devices.filter { $0.kind == .nic }
        var reasons: [String: RoleReason] = [:]
        var candidates: [Device] = []
        let parents = Set(machine.functions.compactMap(\.physicalFunction))
        // The owner of a physical function can switch off its virtual functions and its sub-functions.
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
                set(role, "the policy names it: \(selector)")
            } else if isNamed {
                set(nic.isRDMACapable ? .storage : .general, "the policy names other NICs for the fabric")
            } else if nic.function == nil {
                set(.general, "a virtual interface")
            } else if !nic.isRDMACapable, hasRDMA || !Self.isFast(nic) {
                set(.general, "no RDMA")
            } else if nic.subFunction == nil, let address = nic.function?.address, parents.contains(address) {
                set(.general, "its virtual functions are given out in its place")
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

    /// True for a NIC that the policy gives a role.
    func isNamed(_ device: Device) -> Bool { named.contains(device.address) }

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

    /// The kind with the most ports; then the faster; then that of undivided functions; then the first on the bus.
    private static func dominant(_ candidates: [Device]) -> (name: String, nics: [Device]) {
        var kinds: [(kind: Kind, rate: Double?, nics: [Device])] = []
        for (kind, nics) in Dictionary(grouping: candidates, by: kind) {
            // Ports that came up slow are still the fabric's; as many as half of the others are a network of
            // their own. A port without a link tells the slowest rate there is, and has no say.
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

    /// What an RDMA NIC beside the fabric is for.
    private static func other(_ nic: Device, than fabric: (name: String, nics: [Device]), on machine: Machine) -> RoleReason {
        let name = "\(kind(nic).text) beside \(fabric.nics.count) x \(fabric.name)"
        if let function = nic.function, Catalog.isNVLinkManager(function, on: machine) {
            return RoleReason(role: .management, reason: "\(name): manages the NVLink switches")
        }
        return RoleReason(role: .storage, reason: "\(name): another kind than the fabric")
    }

    /// Whether no port has a link. Ethernet is not asked: its port is down for as long as nobody has brought
    /// its interface up, which a pod will.
    private static func isLinkDown(_ nic: Device) -> Bool {
        let ports = nic.rdmaDevices.flatMap(\.ports)
        return !ports.isEmpty && ports.allSatisfy { $0.linkLayer != "Ethernet" && $0.state == "DOWN" }
    }

    /// Without any RDMA, accelerators talk over the fast ones of the other NICs.
    private static func isFast(_ nic: Device) -> Bool {
        nic.function.map(Catalog.isFastWithoutRDMA) == true || (nic.portGbps ?? 0) >= 50
    }
}

extension PCIAddress {
    fileprivate static let last = PCIAddress(domain: .max, bus: .max, device: 31, function: 7)
}
