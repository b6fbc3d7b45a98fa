// SPDX-License-Identifier: Apache-2.0

import Hardware
package import Topology

/// A machine as a graph for Graphviz: `nearside topology -o dot | dot -Tsvg`.
package enum TopologyGraph {
    /// Writes the graph in the DOT language.
    package static func text(_ topology: MachineTopology) -> String {
        var lines = [
            "graph machine {",
            "  rankdir=LR; node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"DejaVu Sans\", fontsize=10];",
        ]
        let diagnosis = Diagnosis(topology)
        let name = topology.machine.name ?? "this machine"
        lines.append("  machine [label=\(quoted(name))];")
        for branch in TopologyTree(topology).branches { write(branch, above: "machine", topology, diagnosis, &lines) }
        for pair in topology.pairing.pairs {
            for link in pair.links {
                lines.append(
                    "  \(quoted(link.accelerator)) -- \(quoted(link.nic)) [color=\(quoted(Palette.pair(pair.rail).line)), style=dashed, "
                        + "constraint=false, label=\(quoted(link.path.pathClass.name)), fontsize=8];")
            }
        }
        return (lines + ["}"]).joined(separator: "\n") + "\n"
    }

    private static func write(
        _ branch: TopologyTree.Branch, above: String, _ topology: MachineTopology, _ diagnosis: Diagnosis, _ lines: inout [String]
    ) {
        let identity: String
        var label: String
        var fill = "white"
        switch branch.kind {
        case .numaNode(let node):
            label = node.map { "NUMA node \($0)" } ?? "NUMA node unknown"
            identity = label
        case .virtual: (identity, label) = ("virtual interfaces", "virtual interfaces")
        case .bridges(let names): (identity, label) = (names.joined(separator: "/"), names.joined(separator: "\n"))
        case .device(let device):
            identity = device.address
            label = "\(device.word) \(device.address)"
            if let pair = topology.pair(of: device) {
                fill = Palette.pair(pair.rail).fill
                label += "\n\(pair.name)"
            }
            let marks = diagnosis.marks(on: device)
            if !marks.isEmpty { label += "\n! \(marks.joined(separator: ", "))" }
        }
        lines.append("  \(quoted(identity)) [label=\(quoted(label)), fillcolor=\(quoted(fill))];")
        lines.append("  \(above == "machine" ? above : quoted(above)) -- \(quoted(identity));")
        for child in branch.children { write(child, above: identity, topology, diagnosis, &lines) }
    }

    /// Returns a quoted string of the DOT language, with escaped quotes and backslashes.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for character in text {
            switch character {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return result + "\""
    }
}
