// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// The PCI hierarchy of a machine from a source other than the kernel, for machines whose hypervisor hides it.
package struct Hint: Hashable, Sendable {
    /// The position of one function.
    package struct Place: Hashable, Sendable {
        /// Names of the switches above the function, outermost first.
        package var switches: [String]
        package var numaNode: Int?

        package init(switches: [String], numaNode: Int? = nil) {
            self.switches = switches
            self.numaNode = numaNode
        }
    }

    /// Source of the hint: the name of a file.
    package var source: String
    package var places: [PCIAddress: Place]

    package init(source: String, places: [PCIAddress: Place]) {
        self.source = source
        self.places = places
    }

    /// Turns each group of functions into a switch.
    package init(source: String, groups: [[PCIAddress]]) {
        self.source = source
        places = [:]
        for (index, group) in groups.enumerated() {
            for address in group { places[address] = Place(switches: ["group \(index)"]) }
        }
    }

    /// Returns the path class according to this hint; nil if the hint lacks one of the functions, or does not relate them.
    func path(_ left: PCIAddress, _ right: PCIAddress) -> PathClass? {
        guard let first = places[left], let second = places[right] else { return nil }
        let shared = zip(first.switches, second.switches).prefix { $0 == $1 }.count
        if shared > 0 {
            return max(first.switches.count, second.switches.count) - shared <= 1 ? .pix : .pxb
        }
        guard let near = first.numaNode, let far = second.numaNode else { return nil }
        return near == far ? .node : .sys
    }

    /// Returns the contradiction between this hint and the machine; nil if there is none.
    ///
    /// Switches and NUMA nodes that the kernel shows take precedence: a hint for another machine type or numbering would make the pairing
    /// worse.
    package func contradiction(to machine: Machine) -> String? {
        let devices = machine.devices.filter { $0.subFunction == nil }.compactMap { device in
            device.function.flatMap { places[$0.address] == nil ? nil : $0 }
        }
        let named = places.keys.sorted().first.map { ", such as \($0)," } ?? ""
        guard !devices.isEmpty else { return "none of its \(places.count) functions\(named) is an accelerator or a NIC of this machine" }
        for function in devices {
            if let told = places[function.address]?.numaNode, let seen = function.numaNode, told != seen {
                return "the hint places \(function.address) on NUMA node \(told), but the kernel on node \(seen)"
            }
        }
        let plain = Distances(machine)
        for (index, left) in devices.enumerated() {
            for right in devices[(index + 1)...] {
                guard let first = places[left.address], let second = places[right.address] else { continue }
                let isTogether = first.switches.first != nil && first.switches.first == second.switches.first
                let path = plain.path(left.address, right.address)
                if isTogether, let near = left.numaNode, let far = right.numaNode, near != far {
                    return "the hint places \(left.address) and \(right.address) behind one switch, "
                        + "but the kernel shows them on NUMA nodes \(near) and \(far)"
                }
                // A switch that redirects counts as a switch.
                if !isTogether, path.pathClass <= .pxb || path.isRedirected, !first.switches.isEmpty || !second.switches.isEmpty {
                    return "the hint places \(left.address) and \(right.address) behind different switches, "
                        + "but the kernel shows both behind \(path.shared ?? "one switch")"
                }
            }
        }
        return nil
    }
}
