// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// Findings on the devices of a machine, in one place: slices turn them into taints, `nearside doctor` into advice, and pictures into
/// marks. A harmless finding, such as the slow link of an idle GPU, is neither a taint nor a mark.
package struct Diagnosis: Hashable, Sendable {
    /// A defect or a harmless peculiarity of a device.
    package enum Finding: Hashable, Sendable {
        /// No port has a link, though the NIC is enabled.
        case linkDown
        /// No kernel driver is bound to an accelerator or a NIC that can do RDMA.
        case noDriver
        /// The PCIe link has fewer lanes than both ends support.
        case narrowLink(PCILink, possible: PCILink)
        /// The PCIe link has all its lanes, but a lower rate than both ends support.
        case slowLink(PCILink, possible: PCILink)
        /// A slow link of an accelerator, which saves power while it is idle.
        case idleLink(PCILink, possible: PCILink)
        /// A port of the fabric is slower than others; Gb/s.
        case slowPort(Double, fastest: Double)
        /// Access Control Services send the traffic of the pair up to the host bridge; the bridge that they share.
        case redirected(bridge: String)
        /// An accelerator reaches its NIC only across NUMA nodes.
        case distantNIC

        /// True for a finding that costs neither bandwidth nor devices.
        package var isHarmless: Bool { if case .idleLink = self { true } else { false } }
    }

    /// Findings by the address of the device or bridge.
    private var findings: [String: [Finding]] = [:]

    /// - Parameter showsDrivers: true for a live host. A capture may lack the drivers of a kind of device; then a missing driver is a
    ///   finding only if another device of the kind has a driver.
    package init(_ topology: MachineTopology, showsDrivers: Bool = false) {
        let machine = topology.machine
        let kindsWithDrivers = Set(topology.devices.filter { $0.function?.driver != nil }.map(\.kind))
        for device in topology.devices {
            var found: [Finding] = []
            if device.kind == .nic, device.link == .down { found.append(.linkDown) }
            if let function = device.function, device.subFunction == nil {
                if Self.needsDriver(device, function), showsDrivers || kindsWithDrivers.contains(device.kind) { found.append(.noDriver) }
                if let link = Self.link(of: function, below: function.bridges.last.flatMap { machine[$0] }) { found.append(link) }
            }
            found += Self.pathFindings(device, topology)
            if !found.isEmpty { findings[device.address] = found }
        }
        let fastest = topology.fabric.nics.compactMap(\.portGbps).max() ?? 0
        for nic in topology.fabric.nics {
            if let rate = nic.portGbps, rate < fastest { findings[nic.address, default: []].append(.slowPort(rate, fastest: fastest)) }
        }
        // The port above a device reports the link of the device, where it is judged.
        let above = Set(topology.devices.compactMap { $0.function?.bridges.last })
        for bridge in Set(topology.pairing.pairs.flatMap(\.members).compactMap(\.function).flatMap(\.bridges)).subtracting(above) {
            if let link = machine[bridge].flatMap({ Self.link(of: $0, below: nil) }) { findings[bridge.description] = [link] }
        }
    }

    private static func needsDriver(_ device: Device, _ function: PCIFunction) -> Bool {
        function.driver == nil && device.netdevs.isEmpty && device.rdmaDevices.isEmpty
            && (device.kind == .accelerator || Catalog.isRDMACapable(function))
    }

    /// Findings on the paths between a device and the other members of its pair.
    private static func pathFindings(_ device: Device, _ topology: MachineTopology) -> [Finding] {
        guard let pair = topology.pair(of: device) else { return [] }
        let paths = pair.links.filter { $0.accelerator == device.address || $0.nic == device.address }.map(\.path)
        var found = Set(paths.filter(\.isRedirected).compactMap(\.shared)).sorted().map { Finding.redirected(bridge: $0) }
        if device.kind == .accelerator, paths.contains(where: { $0.pathClass == .sys }) { found.append(.distantNIC) }
        return found
    }

    package subscript(_ address: String) -> [Finding] { findings[address] ?? [] }

    /// Judges the PCIe link of a function by its own maximum and that of the port at the other end.
    private static func link(of function: PCIFunction, below port: PCIFunction?) -> Finding? {
        guard Catalog.hasRealLink(function), let link = function.link, var possible = function.maximalLink else { return nil }
        // Both ends of a link report the same state; a function with another state is not the other end.
        if let port, port.link == link, let other = port.maximalLink {
            possible.lanes = min(possible.lanes, other.lanes)
            possible.gigatransfers = min(possible.gigatransfers, other.gigatransfers)
        }
        if link.lanes < possible.lanes { return .narrowLink(link, possible: possible) }
        guard link.gigabitsPerSecond < possible.gigabitsPerSecond else { return nil }
        return Catalog.acceleratorFamily(function) == nil ? .slowLink(link, possible: possible) : .idleLink(link, possible: possible)
    }
}
