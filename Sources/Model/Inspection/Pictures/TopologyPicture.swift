// SPDX-License-Identifier: Apache-2.0

import Hardware
package import Topology

/// A picture of a machine: nested boxes for NUMA nodes, host bridges, switches and devices, a colour for each pair, and findings in red.
package struct TopologyPicture {
    private let topology: MachineTopology
    private let diagnosis: Diagnosis
    private var svg = SVG()
    /// Position of each drawn device: the middle of its upper edge, and its box.
    private var anchors: [String: (x: Double, y: Double, box: Int)] = [:]
    private var containers = 0

    private enum Measure {
        static let tile = (width: 124.0, height: 50.0)
        static let gap = 8.0
        static let padding = 10.0
        static let head = 20.0
        static let margin = 24.0
        static let title = 64.0
        /// Width at which the boxes of one NUMA node wrap to the next row.
        static let node = 600.0
        static let row = 18.0
    }

    package init(_ topology: MachineTopology) {
        self.topology = topology
        diagnosis = Diagnosis(topology)
    }

    /// Draws the picture as SVG.
    package func text() -> String {
        var picture = self
        return picture.draw()
    }

    /// A box with its size, before it has a position.
    private indirect enum Box {
        case tile(Device)
        /// Several devices without details.
        case several([Device])
        case container(
            title: String, detail: String, depth: Int, children: [(box: Box, x: Double, y: Double)], width: Double, height: Double)

        var size: (width: Double, height: Double) {
            switch self {
            case .tile, .several: Measure.tile
            case .container(_, _, _, _, let width, let height): (width, height)
            }
        }
    }

    // MARK: Layout

    private func box(_ branch: TopologyTree.Branch, width: Double, depth: Int) -> Box {
        switch branch.kind {
        case .device(let device): return .tile(device)
        case .virtual: return container("virtual interfaces", "", branch.children, width, depth)
        case .numaNode(let node): return container(node.map { "NUMA node \($0)" } ?? "NUMA node unknown", "", branch.children, width, depth)
        case .bridges(let names):
            // A host bridge for a single device adds no information.
            if branch.children.count == 1, case .device(let device) = branch.children[0].kind { return .tile(device) }
            let bridges = names.compactMap { PCIAddress(parsing: $0) }
            let link = bridges.compactMap { topology.machine[$0]?.link?.text }.last ?? ""
            let root = names.first { $0.hasPrefix("pci") }
            let title = root.map { "host bridge \($0.dropFirst(3))" } ?? "switch \(names[0])"
            let inner = root != nil && names.count > 1 ? "switch \(names[names.count - 1])" : ""
            return container(title, [inner, link].filter { !$0.isEmpty }.joined(separator: ", "), branch.children, width, depth)
        }
    }

    private func container(_ title: String, _ detail: String, _ branches: [TopologyTree.Branch], _ width: Double, _ depth: Int) -> Box {
        let inside = width - 2 * Measure.padding
        var boxes: [Box] = []
        var plain: [Device] = []
        for branch in branches {
            if case .device(let device) = only(branch).kind, topology.pair(of: device) == nil, diagnosis.marks(on: device).isEmpty,
                device.kind == .nic
            {
                plain.append(device)
            } else {
                boxes.append(box(branch, width: inside, depth: depth + 1))
            }
        }
        for group in Dictionary(grouping: plain, by: { topology.role(of: $0).role.rawValue + $0.word }).sorted(by: { $0.key < $1.key }) {
            boxes.append(group.value.count == 1 ? .tile(group.value[0]) : .several(group.value))
        }
        // Tiles of one pair are adjacent, the accelerator first; then boxes; then other tiles.
        boxes = boxes.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(\.element)
        var placed: [(Box, Double, Double)] = []
        let heads = detail.isEmpty ? Measure.head : Measure.head + 14
        var (x, y, rowHeight, used) = (Measure.padding, Measure.padding + heads, 0.0, 0.0)
        for box in boxes {
            if x > Measure.padding, x + box.size.width > width - Measure.padding {
                x = Measure.padding
                y += rowHeight + Measure.gap
                rowHeight = 0
            }
            placed.append((box, x, y))
            x += box.size.width + Measure.gap
            used = max(used, x - Measure.gap)
            rowHeight = max(rowHeight, box.size.height)
        }
        let words = max(SVG.width(title, size: 12, face: .bold), SVG.width(detail, size: 10))
        return .container(
            title: title, detail: detail, depth: depth, children: placed.map { (box: $0.0, x: $0.1, y: $0.2) },
            width: max(used, words + Measure.padding) + Measure.padding, height: y + rowHeight + Measure.padding)
    }

    private func only(_ branch: TopologyTree.Branch) -> TopologyTree.Branch {
        if case .bridges = branch.kind, branch.children.count == 1, case .device = branch.children[0].kind { return branch.children[0] }
        return branch
    }

    private func rank(_ box: Box) -> Int {
        switch box {
        case .tile(let device):
            guard let pair = topology.pair(of: device) else { return device.kind == .accelerator ? 1 << 20 : 3 << 20 }
            return pair.rail * 2 + (device.kind == .accelerator ? 0 : 1)
        case .container: return 2 << 20
        case .several: return 4 << 20
        }
    }

    // MARK: Drawing

    private mutating func draw() -> String {
        let tree = TopologyTree(topology)
        let nodes = tree.branches.map { box($0, width: Measure.node, depth: 0) }
        var rows: [[Box]] = []
        for (index, box) in nodes.enumerated() {
            if index % 2 == 0 { rows.append([]) }
            rows[rows.count - 1].append(box)
        }
        let columns = (0..<2).map { column in rows.compactMap { $0.count > column ? $0[column].size.width : nil }.max() ?? 0 }
        let boxes = columns[0] + (columns[1] > 0 ? columns[1] + 2 * Measure.gap : 0)
        let width = max(boxes, 560) + 2 * Measure.margin
        var y = Measure.title + Measure.margin
        var frames: [(Box, Double, Double)] = []
        for row in rows {
            var x = Measure.margin
            for (column, box) in row.enumerated() {
                frames.append((box, x, y))
                x += columns[column] + 2 * Measure.gap
            }
            y += (row.map(\.size.height).max() ?? 0) + 2 * Measure.gap
        }
        svg.text(topology.machine.name ?? "this machine", Measure.margin, Measure.margin + 18, size: 20, fill: Palette.ink, face: .bold)
        svg.text(summary, Measure.margin, Measure.margin + 40, size: 12, fill: Palette.faint)
        for (box, x, y) in frames { place(box, x, y, tiles: false, inside: 0) }
        drawLinks()
        for (box, x, y) in frames { place(box, x, y, tiles: true, inside: 0) }
        y = drawLegend(at: y + Measure.gap, width: width - 2 * Measure.margin)
        return svg.document(
            width: width, height: y + Measure.margin, title: topology.machine.name ?? "this machine", description: summary)
    }

    private var summary: String {
        let pairs = topology.pairing.pairs
        let accelerators = topology.devices.filter { $0.kind == .accelerator }
        guard !pairs.isEmpty else {
            return "\(accelerators.count) accelerators, \(topology.fabric.nics.count) fabric NICs, no pairs"
        }
        func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
        let shapes = Set(pairs.map { "\($0.accelerators.count)+\($0.nics.count)" }).sorted().joined(separator: ", ")
        let rates = pairs.compactMap(\.gbps)
        let range = Set([rates.min(), rates.max()].compactMap { $0.map { Int($0) } }).sorted().map(String.init)
        let rate = rates.count == pairs.count ? ", \(range.joined(separator: " to ")) Gb/s each" : ""
        return "\(count(accelerators.count, "accelerator")) and \(count(topology.fabric.nics.count, "fabric NIC")) in "
            + "\(count(pairs.count, "pair")) of \(shapes)\(rate)"
    }

    /// Draws boxes in the first pass, and tiles and texts in the second, so that lines are between them.
    private mutating func place(_ box: Box, _ x: Double, _ y: Double, tiles: Bool, inside: Int) {
        switch box {
        case .tile(let device):
            if tiles { draw(device, x, y) } else { anchors[device.address] = (x + Measure.tile.width / 2, y, inside) }
        case .several(let devices): if tiles { draw(devices, x, y) }
        case .container(let title, let detail, let depth, let children, let width, let height):
            containers += 1
            let own = containers
            if tiles {
                svg.text(title, x + Measure.padding, y + 18, size: depth == 0 ? 13 : 11.5, fill: Palette.ink, face: .bold)
                if !detail.isEmpty { svg.text(detail, x + Measure.padding, y + 32, size: 10, fill: Palette.faint) }
            } else {
                svg.box(
                    x, y, width, height, fill: ["#f4f6f8", "#ffffff", "#f4f6f8"][depth % 3], line: depth == 0 ? "#9aa5b1" : "#cbd2d9",
                    thickness: depth == 0 ? 1.5 : 1, radius: 8)
            }
            for child in children { place(child.box, x + child.x, y + child.y, tiles: tiles, inside: own) }
        }
    }

    private mutating func draw(_ device: Device, _ x: Double, _ y: Double) {
        let pair = topology.pair(of: device)
        let marks = diagnosis.marks(on: device)
        let colour = pair.map { Palette.pair($0.rail) } ?? (line: "#9aa5b1", fill: "#ffffff")
        svg.box(
            x, y, Measure.tile.width, Measure.tile.height, fill: colour.fill, line: marks.isEmpty ? colour.line : Palette.alarm,
            thickness: marks.isEmpty ? (device.kind == .accelerator ? 2 : 1.2) : 2.5)
        svg.text(device.word, x + 8, y + 16, size: 12, fill: Palette.ink, face: .bold)
        if let pair {
            svg.circle(x + Measure.tile.width - 14, y + 12, 9, fill: colour.line)
            svg.text(String(pair.rail), x + Measure.tile.width - 14, y + 15.5, size: 10, fill: "#ffffff", face: .bold, anchor: "middle")
        } else if device.kind == .nic {
            svg.text(
                topology.role(of: device).role.rawValue, x + Measure.tile.width - 8, y + 15, size: 9, fill: Palette.faint, anchor: "end")
        }
        svg.text(device.address, x + 8, y + 30, size: 10, fill: Palette.ink, face: .fixed)
        let rate = device.portGbps.map { "\(Int($0)) Gb/s" } ?? device.realLink?.text ?? device.netdevs.first?.name ?? ""
        let note = marks.isEmpty ? rate : marks.joined(separator: ", ")
        svg.text(String(note.prefix(22)), x + 8, y + 43, size: 9.5, fill: marks.isEmpty ? Palette.faint : Palette.alarm)
    }

    private mutating func draw(_ devices: [Device], _ x: Double, _ y: Double) {
        svg.box(x, y, Measure.tile.width, Measure.tile.height, fill: "#ffffff", line: "#cbd2d9")
        svg.text("\(devices.count) x \(devices[0].word)", x + 8, y + 16, size: 12, fill: Palette.faint, face: .bold)
        svg.text("\(devices[0].address) ..", x + 8, y + 30, size: 10, fill: Palette.faint, face: .fixed)
        svg.text(topology.role(of: devices[0]).role.rawValue, x + 8, y + 43, size: 9.5, fill: Palette.faint)
    }

    /// Draws a line between members of a pair that are in different boxes.
    private mutating func drawLinks() {
        for pair in topology.pairing.pairs {
            for link in pair.links where link.path.pathClass > .phb || link.path.basis == .hint {
                guard let start = anchors[link.accelerator], let end = anchors[link.nic], start.box != end.box else { continue }
                let height = Measure.tile.height
                let isAbove = start.y <= end.y
                svg.curve(
                    from: (start.x, start.y + (isAbove ? height : 0)), to: (end.x, end.y + (isAbove ? 0 : height)),
                    line: link.path.pathClass == .sys ? Palette.alarm : Palette.pair(pair.rail).line, dashed: link.path.pathClass >= .sys)
            }
        }
    }

    /// Draws each pair with its path and rate in columns, and returns the lower edge.
    private mutating func drawLegend(at top: Double, width: Double) -> Double {
        let pairs = topology.pairing.pairs
        var y = top
        if !pairs.isEmpty {
            let columns = max(1, min(pairs.count, Int(width / 210)))
            let rows = (pairs.count + columns - 1) / columns
            for (index, pair) in pairs.enumerated() {
                let x = Measure.margin + Double(index / rows) * (width / Double(columns))
                let line = y + Double(index % rows) * Measure.row
                svg.circle(x + 8, line + 8, 7, fill: Palette.pair(pair.rail).line)
                let classes = PathClass.allCases.filter { name in pair.links.contains { $0.path.pathClass == name } }.map(\.name).joined(
                    separator: ",")
                let rate = pair.gbps.map { ", \(Int($0)) Gb/s" } ?? ""
                svg.text("\(pair.name): \(classes)\(rate), by \(pair.basis.rawValue)", x + 20, line + 12, size: 10.5, fill: Palette.ink)
            }
            y += Double(rows) * Measure.row + Measure.gap
        }
        for warning in topology.warnings {
            svg.text(warning, Measure.margin, y + 12, size: 10.5, fill: Palette.alarm)
            y += Measure.row
        }
        return y
    }
}
