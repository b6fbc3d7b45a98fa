// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Testing
import Topology

/// Pictures of every machine, and terminal output.
struct PictureTests {
    private func topology(_ name: String) throws -> MachineTopology {
        MachineTopology(try #require(try MachineDescription.embedded(name)).machine)
    }

    /// Every element is closed and every attribute quoted, as strict readers of SVG require.
    private func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        var rest = text[...]
        while let start = rest.firstIndex(of: "<") {
            guard let end = rest[start...].firstIndex(of: ">") else { return false }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if !tag.hasSuffix("/") {
                open.append(tag.prefix { $0 != " " })
            }
            guard tag.count(where: { $0 == "\"" }) % 2 == 0, !tag.contains("<") else { return false }
        }
        return open.isEmpty
    }

    @Test(arguments: MachineDescription.embeddedNames)
    func `every embedded machine has a picture, a graph and a tree with all its devices`(name: String) throws {
        let topology = try topology(name)
        let svg = TopologyPicture(topology).text()
        #expect(isWellFormed(svg))
        let graph = TopologyGraph.text(topology)
        let tree = TopologyText(topology, terminal: Terminal()).text
        for member in topology.machine.devices where member.kind == .accelerator || topology.pair(of: member) != nil {
            #expect(svg.contains(">\(member.address)</text>"))
            #expect(graph.contains("\"\(member.address)\" [label="))
            #expect(tree.contains(member.address))
        }
        #expect(graph.count(where: { $0 == "{" }) == graph.count(where: { $0 == "}" }))
    }

    @Test
    func `names by administrators cannot break a picture`() throws {
        var machine = try topology("mi300a").machine
        machine.name = "a<b>&\"c\u{1}\\"
        let svg = TopologyPicture(MachineTopology(machine)).text()
        #expect(isWellFormed(svg))
        #expect(svg.contains("a&lt;b&gt;&amp;&quot;c \\"))
        #expect(TopologyGraph.text(MachineTopology(machine)).contains(#"label="a<b>&\"c"#))
    }

    @Test
    func `a lost link is red in the picture and highlighted in the terminal`() throws {
        var machine = try topology("hgx-a100").machine
        let index = try #require(machine.functions.firstIndex { $0.vendor == "15b3" })
        machine.functions[index].rdmaDevices[0].ports[0].state = "DOWN"
        let sick = MachineTopology(machine)
        #expect(TopologyPicture(sick).text().contains(">no link</text>"))
        #expect(TopologyText(sick, terminal: Terminal(width: 120, hasColours: true)).text.contains("\u{1B}[1;31m  ! no link\u{1B}[0m"))
        #expect(!TopologyText(sick, terminal: Terminal()).text.contains("\u{1B}"))
    }

    @Test(arguments: [60, 80, 120, 200])
    func `no line is wider than the terminal`(width: Int) throws {
        for name in MachineDescription.embeddedNames {
            let text = TopologyText(try topology(name), terminal: Terminal(width: width)).text
            for line in text.split(separator: "\n") { #expect(line.count <= width, "\(name)") }
        }
    }

    @Test
    func `the matrix folds NICs with equal paths`() throws {
        let text = TopologyText(try topology("aws-p5"), terminal: Terminal(width: 100)).text
        #expect(text.contains(" 4f:00.0+3 "))
        #expect(text.contains("PIX*"))
    }

    @Test
    func `the chart of a simulation is well-formed`() throws {
        let document = try SimulationDocument(
            ["aws-p4d", "azure-nd-a100-v4"].map { (name: $0, topology: try topology($0)) }, nodes: 5, mix: ClaimMix("1,2,4,1a"),
            turnover: 2, seed: 1)
        #expect(isWellFormed(SimulationChart.text(document)))
        #expect(document.mean.count == RequestStrategy.allCases.count)
    }
}
