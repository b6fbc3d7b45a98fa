// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Topology

/// The conditions of the devices of a machine. Pure.
package struct HealthReport: Hashable, Sendable {
    /// A condition of one device.
    package struct Finding: Hashable, Sendable {
        package var condition: DeviceCondition
        /// Details for the operator: the cause, and a pointer to further information.
        package var message: String
    }

    /// Findings by the device's name in slices, sorted by condition.
    package private(set) var findings: [String: [Finding]] = [:]
    /// Devices of claims that no longer exist.
    package private(set) var lost: [Device] = []

    package init() {}

    /// - Parameters:
    ///   - topology: the topology of the machine with damped links (``LinkDamper``).
    ///   - policy: the selection of devices.
    ///   - held: names of devices that claims have.
    ///   - known: the machine when it had all its devices.
    package init(_ topology: MachineTopology, _ policy: PublishingPolicy, held: Set<String> = [], known: Machine? = nil) {
        let devices = topology.devices
        let diagnosis = Diagnosis(topology)
        var present: Set<String> = []
        for device in devices where policy.publishes(device, of: topology) {
            present.insert(device.sliceName)
            var found = diagnosis[device.address].compactMap { Finding($0, on: device) }
            if let function = device.function, device.subFunction == nil, !held.contains(device.sliceName) {
                let used = devices.filter { $0.function?.physicalFunction == function.address && held.contains($0.sliceName) }
                if let first = used.first {
                    found.append(
                        Finding(
                            condition: .functionsInUse,
                            message: "claims have \(used.count) of the virtual functions, such as \(first.sliceName)"))
                }
            }
            if !found.isEmpty { findings[device.sliceName] = found.sorted { $0.condition < $1.condition } }
        }
        let missing = held.subtracting(present)
        guard !missing.isEmpty else { return }
        lost = (known?.devices ?? []).filter { missing.contains($0.sliceName) && policy.selects($0) }
        let here = Dictionary(devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first })
        for device in lost {
            let why =
                here[device.sliceName].flatMap(topology.withheld)
                ?? (device.function == nil ? "the device no longer exists" : "the device has left its bus")
            let place = device.function?.address.description ?? device.address
            findings[device.sliceName] = [Finding(condition: .lost, message: "\(why); see: dmesg | grep -i \"\(place)\"")]
        }
    }

    /// Adds a condition that the machine itself does not show.
    package mutating func add(_ condition: DeviceCondition, _ messages: [(device: String, message: String)]) {
        for (device, message) in messages where !(findings[device] ?? []).contains(where: { $0.condition == condition }) {
            findings[device] = ((findings[device] ?? []) + [Finding(condition: condition, message: message)]).sorted {
                $0.condition < $1.condition
            }
        }
    }

    /// Returns the conditions that began or ended since another report.
    package func changes(since old: HealthReport) -> [(device: String, finding: Finding, began: Bool)] {
        var changes: [(device: String, finding: Finding, began: Bool)] = []
        for device in Set(findings.keys).union(old.findings.keys).sorted() {
            let (before, after) = (old.findings[device] ?? [], findings[device] ?? [])
            for finding in after where !before.contains(where: { $0.condition == finding.condition }) {
                changes.append((device, finding, true))
            }
            for finding in before where !after.contains(where: { $0.condition == finding.condition }) {
                changes.append((device, finding, false))
            }
        }
        return changes
    }
}

extension HealthReport.Finding {
    /// The findings that matter to a claim's user; nil for others.
    fileprivate init?(_ finding: Diagnosis.Finding, on device: Device) {
        switch finding {
        case .linkDown: self.init(condition: .linkDown, message: device.linkText)
        case .noDriver:
            self.init(
                condition: .noDriver, message: "no kernel driver is bound; see: dmesg | grep \(device.function?.address.description ?? "")")
        case .narrowLink(let link, let possible):
            self.init(
                condition: .narrowLink, message: "the PCIe link has \(link.lanes) of \(possible.lanes) lanes; reseat the card or riser")
        case .slowLink, .idleLink, .slowPort, .redirected, .distantNIC: return nil
        }
    }
}

extension Device {
    /// Names of the ports or interfaces without a link.
    fileprivate var linkText: String {
        let ports = rdmaDevices.flatMap { rdma in
            rdma.ports.filter { $0.state != "ACTIVE" }.map { "\(rdma.name) port \($0.number) is \($0.state ?? "?")" }
        }
        let interfaces = netdevs.filter { $0.isEnabled == true && $0.hasCarrier == false }.map { "\($0.name) has no carrier" }
        return (ports.isEmpty ? interfaces : ports).joined(separator: ", ") + "; see the cable and the switch"
    }
}
