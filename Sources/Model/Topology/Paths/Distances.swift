// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// Paths between the devices of one machine.
///
/// The position of each function is encoded as numbers once, so that the paths of 256 accelerators to 256 NICs are cheap.
package struct Distances: Sendable {
    /// A place above functions: a bridge, a host bridge, or a component of a hypervisor's path.
    private struct Place {
        var name: String
        /// True for a bridge or host bridge, false for a component of a path.
        var isHierarchy: Bool
        var isBridge: Bool
        var gbps: Double?
        var redirects: Bool
    }

    private struct Position {
        var address: PCIAddress
        /// Places above the function, outermost first.
        var places: [Int]
        var numaNode: Int?
        var gbps: Double?
    }

    private let machine: Machine
    private let hint: Hint?
    private var places: [Place] = []
    private var positions: [PCIAddress: Position] = [:]

    /// - Parameter hint: a hierarchy from another source, which must not contradict the machine (``Hint/contradiction(to:)``).
    package init(_ machine: Machine, hint: Hint? = nil) {
        self.machine = machine
        self.hint = hint
        var numbers: [String: Int] = [:]
        let bridges = Dictionary(
            machine.functions.lazy.filter(\.isBridge).map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        for function in machine.functions {
            var own: [Int] = []
            for name in function.path {
                if let number = numbers[name] {
                    own.append(number)
                    continue
                }
                let address = PCIAddress(parsing: name)
                let bridge = address.flatMap { bridges[$0] }
                numbers[name] = places.count
                own.append(places.count)
                places.append(
                    Place(
                        name: name, isHierarchy: address != nil || name.hasPrefix("pci"), isBridge: address != nil,
                        gbps: bridge?.link?.gigabitsPerSecond, redirects: bridge?.acs?.redirects ?? false))
            }
            positions[function.address] = Position(
                address: function.address, places: own, numaNode: function.numaNode ?? hint?.places[function.address]?.numaNode,
                gbps: Catalog.hasRealLink(function) ? function.link?.gigabitsPerSecond : nil)
        }
    }

    /// Returns the paths between rows and columns of devices. Each device is looked up once.
    package func paths(_ rows: [Device], _ columns: [Device]) -> [[Path]] {
        let others = columns.map { (device: $0, position: position($0), rate: $0.portGbps) }
        return rows.map { row in
            let own = position(row)
            let rate = row.portGbps
            return others.map { other in
                guard let own, let position = other.position else { return Path(pathClass: .unknown, basis: .ordinal) }
                var path = path(own, position)
                path.portGbps = [rate, other.rate].compactMap { $0 }.min()
                return path
            }
        }
    }

    /// Returns the path between two devices; nil if one of them is not on PCI.
    package func path(_ left: Device, _ right: Device) -> Path? {
        left.function == nil || right.function == nil ? nil : paths([left], [right])[0][0]
    }

    /// Returns the path between two functions, by their addresses.
    package func path(_ left: PCIAddress, _ right: PCIAddress) -> Path {
        guard let first = positions[left], let second = positions[right] else { return Path(pathClass: .unknown, basis: .ordinal) }
        return path(first, second)
    }

    private func position(_ device: Device) -> Position? { device.function.flatMap { positions[$0.address] } }

    private func path(_ left: Position, _ right: Position) -> Path {
        var shared = 0
        var innermost: Int?
        while shared < left.places.count, shared < right.places.count, left.places[shared] == right.places[shared] {
            // A description may have switches without their host bridge.
            if places[left.places[shared]].isHierarchy { innermost = left.places[shared] }
            shared += 1
        }
        var path = Path(pathClass: .unknown, basis: .ordinal)
        let narrowest = min(narrowest(left, from: shared), narrowest(right, from: shared))
        path.pcieGbps = narrowest == .infinity ? nil : narrowest
        judge(&path, left, right, shared: shared, innermost: innermost)
        if path.pathClass > .pxb, let hint, let other = hint.path(left.address, right.address) {
            path.pathClass = other
            path.basis = .hint
            path.shared = nil
        }
        if let first = left.numaNode, let second = right.numaNode {
            path.numaDistance = first == second ? 10 : machine.numaDistance(first, second)
        }
        return path
    }

    private func narrowest(_ position: Position, from shared: Int) -> Double {
        var narrowest = position.gbps ?? .infinity
        for place in position.places[shared...] {
            if let gbps = places[place].gbps { narrowest = min(narrowest, gbps) }
        }
        return narrowest
    }

    /// Returns true if the first port below the shared place redirects. A request between two devices turns around where their paths
    /// meet, and the port through which it came decides whether it may (PCI Express Base, ACS P2P Request Redirect).
    private func redirects(_ position: Position, at shared: Int) -> Bool {
        position.places.count > shared && places[position.places[shared]].redirects
    }

    private func judge(_ path: inout Path, _ left: Position, _ right: Position, shared: Int, innermost: Int?) {
        guard let innermost else {
            if let first = left.numaNode, let second = right.numaNode {
                path.pathClass = first == second ? .node : .sys
                path.basis = .numa
            }
            return
        }
        path.shared = places[innermost].name
        path.basis = .pci
        path.pathClass = .phb
        guard places[innermost].isBridge else { return }
        path.isRedirected = redirects(left, at: shared) || redirects(right, at: shared)
        // Below the innermost shared bridge, a device of the same switch has one port; more ports belong to further switches.
        if !path.isRedirected { path.pathClass = max(left.places.count, right.places.count) - shared <= 1 ? .pix : .pxb }
    }
}

extension ACSControl {
    /// True if requests or completions between devices of one switch go up to the host bridge.
    package var redirects: Bool { !isDisjoint(with: [.requestRedirect, .completionRedirect]) }
}

extension Device {
    /// Total Gb/s of the ports of a NIC; nil for other devices, or if no rate is known.
    package var portGbps: Double? {
        guard kind == .nic else { return nil }
        // A port without a link reports the lowest rate.
        let ports = rdmaDevices.flatMap(\.ports)
        let active = ports.filter { $0.state != "DOWN" }
        let rates = (active.isEmpty ? ports : active).compactMap(\.rate)
        guard rates.isEmpty else { return rates.reduce(0, +) }
        return netdevs.compactMap(\.speed).max().map { Double($0) / 1000 }
    }
}
