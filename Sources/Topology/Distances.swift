// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// Paths between the devices of one machine.
///
/// Where each function hangs is turned into numbers once, so that the paths of 256 accelerators to 256
/// NICs are cheap.
package struct Distances: Sendable {
    /// A place that functions can be behind: a bridge, a host bridge, or a part of a hypervisor's path.
    private struct Place {
        var name: String
        /// A bridge or host bridge, and no mere name in a path.
        var isHierarchy: Bool
        var isBridge: Bool
        var gbps: Double?
        var redirects: Bool
    }

    private struct Position {
        /// Outermost first.
        var places: [Int]
        var numaNode: Int?
        var gbps: Double?
    }

    private let machine: Machine
    private let hint: Hint?
    private var places: [Place] = []
    private var positions: [PCIAddress: Position] = [:]

    /// - Parameter hint: what is known of the hierarchy from elsewhere; it must have been checked
    ///   (``Hint/contradiction(to:)``).
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
                places: own, numaNode: function.numaNode ?? hint?.places[function.address]?.numaNode,
                gbps: Catalog.hasRealLink(function) ? function.link?.gigabitsPerSecond : nil)
        }
    }

    /// The path between two devices; nil when one of them is not on PCI.
    package func path(_ left: Device, _ right: Device) -> Path? {
        guard let first = left.function?.address, let second = right.function?.address else { return nil }
        var path = path(first, second)
        path.portGbps = [left, right].compactMap(\.portGbps).min()
        return path
    }

    /// The path between two functions, by their addresses.
    package func path(_ left: PCIAddress, _ right: PCIAddress) -> Path {
        guard let first = positions[left], let second = positions[right] else {
            return Path(pathClass: .unknown, basis: .ordinal)
        }
        var shared = 0
        var innermost: Place?
        while shared < first.places.count, shared < second.places.count, first.places[shared] == second.places[shared] {
            let place = places[first.places[shared]]
            // A description may tell the switches and not the host bridge above them.
            if place.isHierarchy { innermost = place }
            shared += 1
        }
        var path = judge(first, second, shared: shared, innermost: innermost)
        if path.pathClass > .pxb, let hint, let other = hint.path(left, right) {
            path.pathClass = other
            path.basis = .hint
            path.shared = nil
        }
        if let first = first.numaNode, let second = second.numaNode {
            path.numaDistance = first == second ? 10 : machine.numaDistance(first, second)
        }
        return path
    }

    private func judge(_ left: Position, _ right: Position, shared: Int, innermost: Place?) -> Path {
        var path = Path(pathClass: .unknown, basis: .ordinal)
        var narrowest = Double.infinity
        for position in [left, right] {
            if let own = position.gbps { narrowest = min(narrowest, own) }
            for place in position.places[shared...] {
                if let gbps = places[place].gbps { narrowest = min(narrowest, gbps) }
            }
        }
        path.pcieGbps = narrowest == .infinity ? nil : narrowest
        if let innermost {
            path.shared = innermost.name
            path.basis = .pci
            path.pathClass = .phb
            guard innermost.isBridge else { return path }
            // A request of one device to another turns around where both ways meet. There the port it came
            // through decides whether it may (PCI Express Base, ACS P2P Request Redirect).
            path.isRedirected = [left, right].contains { position in
                position.places.count > shared && places[position.places[shared]].redirects
            }
            guard !path.isRedirected else { return path }
            // Behind the last shared bridge, a device of the same switch has one port of its own; with
            // more than that, other switches lie between.
            path.pathClass = max(left.places.count, right.places.count) - shared <= 1 ? .pix : .pxb
            return path
        }
        if let first = left.numaNode, let second = right.numaNode {
            path.pathClass = first == second ? .node : .sys
            path.basis = .numa
        }
        return path
    }
}

extension ACSControl {
    /// Sends requests or answers between devices of one switch up to the host bridge.
    package var redirects: Bool { !isDisjoint(with: [.requestRedirect, .completionRedirect]) }
}

extension Device {
    /// Gb/s of all ports of a NIC together; nil for others, or when nothing tells.
    package var portGbps: Double? {
        guard kind == .nic else { return nil }
        // A port without a link tells the slowest rate there is.
        let ports = rdmaDevices.flatMap(\.ports)
        let active = ports.filter { $0.state != "DOWN" }
        let rates = (active.isEmpty ? ports : active).compactMap(\.rate)
        guard rates.isEmpty else { return rates.reduce(0, +) }
        return netdevs.compactMap(\.speed).max().map { Double($0) / 1000 }
    }
}
