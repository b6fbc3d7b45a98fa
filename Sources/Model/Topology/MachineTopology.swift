// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// The topology of a machine: roles of devices, distances between them, pairs and sets. A value; it is computed without I/O.
package struct MachineTopology: Sendable {
    package let machine: Machine
    /// Devices of the machine, in order.
    package let devices: [Device]
    package let distances: Distances
    package let fabric: Fabric
    package let pairing: Pairing
    /// The hint in use; ``warnings`` has the reason if a hint was refused.
    package let hint: Hint?
    package let warnings: [String]
    private let pairOfDevice: [String: Pair]
    private let isBeyondShare: Set<String>
    /// False for a description or capture without interfaces, RDMA devices and drivers of NICs, where these are unknown.
    private let showsInterfaces: Bool

    /// - Parameter known: the machine when it had all its devices; nil if unknown.
    package init(_ machine: Machine, policy: TopologyPolicy = TopologyPolicy(), known: Machine? = nil) {
        self.machine = machine
        let hint = policy.hint(for: machine)
        let contradiction = hint.flatMap { $0.contradiction(to: machine) }
        warnings = contradiction.map { ["the hint of \(hint?.source ?? "") is not used: \($0)"] } ?? []
        let used = contradiction == nil ? hint : nil
        self.hint = used
        devices = machine.devices
        showsInterfaces = devices.contains {
            $0.kind == .nic && (!$0.netdevs.isEmpty || !$0.rdmaDevices.isEmpty || $0.function?.driver != nil)
        }
        fabric = Fabric(machine, devices: devices, policy: policy)
        let accelerators = Self.accelerators(devices)
        var whole = machine
        var missing: (accelerators: [Device], nics: [Device]) = ([], fabric.down)
        if let known {
            let gone = known.missing(from: machine)
            let addresses = Set(gone.map(\.address))
            func isGone(_ device: Device) -> Bool {
                device.subFunction == nil && device.function.map { addresses.contains($0.address) } == true
            }
            missing.accelerators = Self.accelerators(known.devices).filter(isGone)
            let before = Fabric(known, policy: policy)
            missing.nics += (before.nics + before.down).filter(isGone)
            whole.functions = (machine.functions + gone).sorted { $0.address < $1.address }
        }
        distances = Distances(whole, hint: used)
        pairing = Pairing(accelerators: accelerators, nics: fabric.nics, distances: distances, hint: used, missing: missing)
        var pairs: [String: Pair] = [:]
        for pair in pairing.pairs {
            for member in pair.members { pairs[member.address] = pair }
        }
        pairOfDevice = pairs
        // A NIC that no accelerator needs, and that is farther from all accelerators than the paired NICs from theirs.
        let worst = pairing.pairs.flatMap(\.links).map(\.path.pathClass).max() ?? .unknown
        let distances = distances
        isBeyondShare = Set(
            pairing.unpairedNICs.filter { nic in
                !accelerators.isEmpty && accelerators.allSatisfy { (distances.path($0, nic)?.pathClass ?? .unknown) > worst }
            }.map(\.address))
    }

    /// Returns the accelerators, without those that are a part of another one in the list.
    private static func accelerators(_ devices: [Device]) -> [Device] {
        devices.filter { $0.kind == .accelerator && $0.function?.physicalFunction == nil }
    }

    /// Functions that are or could be in pairs, which the caller remembers in case one is lost.
    package var members: [PCIFunction] {
        var functions: [PCIAddress: PCIFunction] = [:]
        for device in Self.accelerators(devices) + fabric.nics + fabric.down {
            guard let function = device.function else { continue }
            functions[function.address] = function
            for bridge in function.bridges { functions[bridge] = machine[bridge] }
        }
        return functions.values.sorted { $0.address < $1.address }
    }

    /// Returns the pair of a device.
    package func pair(of device: Device) -> Pair? { pairOfDevice[device.address] }

    /// Returns the role of a device, and the reason for it.
    package func role(of device: Device) -> RoleReason {
        if isBeyondShare.contains(device.address) {
            return RoleReason(role: .storage, reason: "of the fabric's kind, but in excess and near no accelerator")
        }
        return fabric.role(of: device)
    }

    /// Returns the reason why a NIC is not given to pods, as a sentence; nil for an accelerator, and for a NIC that is given to pods.
    package func withheld(_ device: Device) -> String? {
        guard device.kind == .nic else { return nil }
        let role = role(of: device)
        if role.role == .uplink { return role.reason }
        if device.function != nil, device.netdevs.isEmpty, device.rdmaDevices.isEmpty, showsInterfaces {
            return "the NIC has neither an interface nor an RDMA device"
        }
        guard role.role == .storage || role.role == .management, !fabric.isNamed(device) else { return nil }
        return "\(role.reason); a topology policy that names it for \(role.role.rawValue) publishes it"
    }

    /// The sets of pairs, computed at each access.
    package var sets: PairSets { PairSets(pairing.pairs, distances: distances) }
}

extension Machine {
    /// Returns the functions that another machine lacks, except virtual functions, which are removed deliberately.
    package func missing(from machine: Machine) -> [PCIFunction] {
        let addresses = Set(machine.functions.map(\.address))
        return functions.filter { $0.physicalFunction == nil && !addresses.contains($0.address) }
    }
}
