// SPDX-License-Identifier: Apache-2.0

import Hardware
package import Topology

/// A machine as a tree and a matrix of paths for a terminal.
package struct TopologyText {
    private let topology: MachineTopology
    private let diagnosis: Diagnosis
    private let terminal: Terminal

    package init(_ topology: MachineTopology, terminal: Terminal) {
        self.topology = topology
        diagnosis = Diagnosis(topology)
        self.terminal = terminal
    }

    package var text: String {
        var lines = [topology.machine.name ?? "this machine"]
        lines += topology.warnings.map { "note: \($0)" }
        draw(TopologyTree(topology).branches, indent: "", into: &lines)
        return lines.joined(separator: "\n") + "\n" + matrix
    }

    // MARK: Tree

    private func draw(_ branches: [TopologyTree.Branch], indent: String, into lines: inout [String]) {
        let groups = grouped(branches)
        for (index, group) in groups.enumerated() {
            let isLast = index == groups.count - 1
            lines.append(line(indent + (isLast ? "└─ " : "├─ "), group))
            if group.count == 1 { draw(group[0].children, indent: indent + (isLast ? "   " : "│  "), into: &lines) }
        }
    }

    /// Groups neighbours with equal descriptions, such as the 32 plain interfaces of a p5, into one line.
    private func grouped(_ branches: [TopologyTree.Branch]) -> [[TopologyTree.Branch]] {
        var groups: [[TopologyTree.Branch]] = []
        for branch in branches {
            if let last = groups.last?.first, let one = plain(last), let other = plain(branch), one == other {
                groups[groups.count - 1].append(branch)
            } else {
                groups.append([branch])
            }
        }
        return groups
    }

    /// Returns the description of a device without a pair and without findings; nil for other devices.
    private func plain(_ branch: TopologyTree.Branch) -> String? {
        guard case .device(let device) = branch.kind, topology.pair(of: device) == nil, diagnosis.marks(on: device).isEmpty else {
            return nil
        }
        return words(device).joined(separator: " ")
    }

    private func line(_ start: String, _ group: [TopologyTree.Branch]) -> String {
        switch group[0].kind {
        case .numaNode(let node): return terminal.bold(start + (node.map { "NUMA node \($0)" } ?? "NUMA node unknown"))
        case .virtual: return start + "virtual interfaces"
        case .bridges(let names):
            let links = names.compactMap { PCIAddress(parsing: $0) }.compactMap { topology.machine[$0]?.link?.text }
            return terminal.cut(start + names.joined(separator: " / ") + (links.last.map { "  \($0)" } ?? ""))
        case .device(let device):
            guard group.count == 1 else {
                let last = group[group.count - 1].devices.first?.address ?? ""
                return terminal.cut("\(start)\(device.address) .. \(last)  \(group.count) x \(words(device).joined(separator: " "))")
            }
            let pair = topology.pair(of: device)
            let marks = diagnosis.marks(on: device)
            let names = device.netdevs.map(\.name) + device.rdmaDevices.map(\.name)
            var text = ([device.address] + words(device) + names).joined(separator: "  ")
            if let pair { text += "  [\(pair.name)]" }
            let shown = terminal.cut(start + text, keeping: marks.isEmpty ? 0 : marks.joined(separator: ", ").count + 3)
            let coloured =
                pair.map { terminal.colour(String(shown.dropFirst(start.count)), $0.rail) } ?? String(shown.dropFirst(start.count))
            return start + coloured + (marks.isEmpty ? "" : terminal.alarm("  ! " + marks.joined(separator: ", ")))
        }
    }

    /// Returns the description of a device without its names.
    private func words(_ device: Device) -> [String] {
        var words = [device.word]
        if let driverless = device.function, driverless.driver == nil, device.kind == .nic, device.netdevs.isEmpty,
            device.rdmaDevices.isEmpty
        {
            words.append("\(driverless.vendor):\(driverless.device)")
        }
        let role = topology.role(of: device).role
        if role != .compute, role != .fabric { words.append("(\(role.rawValue))") }
        if let rate = device.portGbps, rate > 0 { words.append("\(Int(rate)) Gb/s") }
        if device.kind == .accelerator, let link = device.realLink { words.append(link.text) }
        return words
    }

    // MARK: Matrix

    /// Path classes of every accelerator and fabric NIC in the layout of `nvidia-smi topo -m`, split into tables of the terminal's width.
    /// NICs with equal paths to all accelerators share a column.
    private var matrix: String {
        let accelerators = topology.pairing.pairs.flatMap(\.accelerators) + topology.pairing.unpairedAccelerators
        let nics = topology.pairing.pairs.flatMap(\.nics) + topology.pairing.unpairedNICs
        guard !accelerators.isEmpty, !nics.isEmpty else { return "" }
        // A common domain adds no information.
        let isPlain = (accelerators + nics).allSatisfy { $0.address.hasPrefix("0000:") }
        func short(_ address: String) -> String { isPlain ? String(address.dropFirst(5)) : address }
        func cell(_ accelerator: Device, _ nic: Device) -> String {
            let own = topology.pair(of: accelerator)
            let isPair = own != nil && own?.rail == topology.pair(of: nic)?.rail
            return (topology.distances.path(accelerator, nic)?.pathClass.name ?? "-") + (isPair ? "*" : "")
        }
        var columns: [(head: String, cells: [String])] = []
        for nic in nics {
            let cells = accelerators.map { cell($0, nic) }
            if let last = columns.indices.last, columns[last].cells == cells {
                let first = columns[last].head.split(separator: "+")[0]
                let more = (columns[last].head.split(separator: "+").dropFirst().first.flatMap { Int($0) } ?? 0) + 1
                columns[last].head = "\(first)+\(more)"
            } else {
                columns.append((short(nic.address), cells))
            }
        }
        let own = accelerators.map { short($0.address).count }.max() ?? 0
        let isFolded = columns.contains { $0.head.contains("+") }
        var text = ""
        while !columns.isEmpty {
            var width = own
            let fitting = columns.prefix { column in
                width += 2 + max(column.head.count, 5)
                return width <= terminal.width
            }
            let shown = columns.prefix(max(1, fitting.count))
            columns.removeFirst(shown.count)
            var table = TextTable([""] + shown.map(\.head))
            for (row, accelerator) in accelerators.enumerated() { table.add([short(accelerator.address)] + shown.map { $0.cells[row] }) }
            text += "\n" + table.text
        }
        let notes = ["* NIC of the same pair", isFolded ? "+3: and the next three NICs" : "", isPlain ? "all in PCI domain 0000" : ""]
        return text + notes.filter { !$0.isEmpty }.map { $0 + "\n" }.joined()
    }
}

/// The capabilities of the output terminal.
package struct Terminal: Sendable {
    /// Columns; unlimited if the output is not a terminal.
    package var width: Int
    package var hasColours: Bool

    package init(width: Int = .max, hasColours: Bool = false) {
        self.width = width
        self.hasColours = hasColours
    }

    /// Returns a text in the colour of a pair, which is visible on most backgrounds. Red is reserved for marks.
    func colour(_ text: String, _ number: Int) -> String {
        hasColours ? "\u{1B}[\([32, 33, 34, 35, 36, 92, 94, 95, 96][number % 9])m\(text)\u{1B}[0m" : text
    }

    func alarm(_ text: String) -> String { hasColours ? "\u{1B}[1;31m\(text)\u{1B}[0m" : text }

    func bold(_ text: String) -> String { hasColours ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    /// Truncates a text to the terminal's width less the columns to keep free.
    func cut(_ text: String, keeping: Int = 0) -> String {
        let room = max(24, width - keeping)
        return width == .max || text.count <= room ? text : text.prefix(room - 1) + "…"
    }
}
