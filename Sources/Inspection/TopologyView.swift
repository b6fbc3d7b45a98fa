// SPDX-License-Identifier: Apache-2.0

package import Hardware
import Topology

/// The machine as a tree: NUMA nodes, host bridges, switches, devices, with the pair of each.
package struct TopologyView: Sendable {
    private let machine: Machine
    private let fabric: Fabric
    private let pairOfDevice: [String: Pair]
    private let colours: Bool

    /// - Parameter colours: whether each pair is drawn in a colour of its own.
    package init(_ machine: Machine, colours: Bool) {
        self.machine = machine
        self.colours = colours
        fabric = Fabric(machine)
        var pairs: [String: Pair] = [:]
        for pair in Pairing(machine).pairs {
            for member in pair.accelerators + pair.nics { pairs[member.address] = pair }
        }
        pairOfDevice = pairs
    }

    /// A node of the tree: a bridge or a device, with what is behind it.
    private final class Branch {
        let label: String
        var children: [Branch] = []
        init(_ label: String) { self.label = label }

        func child(_ label: String) -> Branch {
            if let found = children.first(where: { $0.label == label }) { return found }
            let branch = Branch(label)
            children.append(branch)
            return branch
        }
    }

    package var text: String {
        let root = Branch(machine.name ?? "machine")
        for device in machine.devices {
            guard let function = device.function else {
                root.child("virtual interfaces").children.append(Branch(label(device)))
                continue
            }
            var branch = root.child(function.numaNode.map { "NUMA node \($0)" } ?? "NUMA node unknown")
            for part in function.path where part.hasPrefix("pci") || PCIAddress(parsing: part) != nil {
                branch = branch.child(part)
            }
            branch.children.append(Branch(label(device)))
        }
        var lines = [root.label]
        let order = root.children.sorted { $0.label < $1.label }
        draw(order.map(fold), indent: "", into: &lines)
        return lines.joined(separator: "\n") + "\n" + matrix
    }

    /// Bridges that lead to one place only are written on one line.
    private func fold(_ branch: Branch) -> Branch {
        var label = branch.label
        var children = branch.children
        while children.count == 1, !children[0].children.isEmpty {
            label += " / \(children[0].label)"
            children = children[0].children
        }
        // A port with a single device is the device's own.
        if children.count == 1, children[0].children.isEmpty, PCIAddress(parsing: branch.label) != nil {
            return children[0]
        }
        let folded = Branch(label)
        folded.children = children.map(fold)
        return folded
    }

    private func draw(_ branches: [Branch], indent: String, into lines: inout [String]) {
        for (index, branch) in branches.enumerated() {
            let isLast = index == branches.count - 1
            lines.append(indent + (isLast ? "└─ " : "├─ ") + branch.label)
            draw(branch.children, indent: indent + (isLast ? "   " : "│  "), into: &lines)
        }
    }

    private func label(_ device: Device) -> String {
        var words = [device.address]
        switch device.kind {
        case .accelerator: words.append(device.family.map { "\($0.rawValue) accelerator" } ?? "accelerator")
        case .nic: words.append(fabric.role(of: device) == .general ? "NIC" : "\(fabric.role(of: device).rawValue) NIC")
        }
        words += device.netdevs.map(\.name) + device.rdmaDevices.map(\.name)
        if let rate = device.rdmaDevices.flatMap(\.ports).compactMap(\.rate).max() { words.append("\(Int(rate)) Gb/s") }
        guard let pair = pairOfDevice[device.address] else { return words.joined(separator: "  ") }
        return colour(words.joined(separator: "  ") + "  [\(pair.name)]", pair.rail)
    }

    private func colour(_ text: String, _ rail: Int) -> String {
        // The six colours of every terminal that can be told from its background.
        colours ? "\u{1B}[3\(1 + rail % 6)m\(text)\u{1B}[0m" : text
    }

    /// Path classes of every accelerator and fabric NIC, as `nvidia-smi topo -m` shows them.
    private var matrix: String {
        let accelerators = machine.devices.filter { $0.kind == .accelerator }
        guard !accelerators.isEmpty, !fabric.nics.isEmpty else { return "" }
        // A matrix that no terminal shows tells nothing; then the pairs alone are told.
        let columns = fabric.nics.count <= 16 ? fabric.nics : []
        guard !columns.isEmpty else { return "" }
        var table = TextTable([""] + columns.map(\.address))
        for accelerator in accelerators {
            table.add(
                [accelerator.address]
                    + columns.map { nic in
                        guard let left = accelerator.function, let right = nic.function else { return "-" }
                        let isPair = pairOfDevice[accelerator.address].map { $0 == pairOfDevice[nic.address] } ?? false
                        return Path(left, right, on: machine).pathClass.name + (isPair ? "*" : "")
                    })
        }
        return "\n" + table.text + "* the pair's own\n"
    }
}
