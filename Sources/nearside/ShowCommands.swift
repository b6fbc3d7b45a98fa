// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Discovery
import Hardware
import Inspection
import Publishing
import Topology

struct TopologyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "The machine as a tree and a matrix of paths, or as a picture.",
        discussion: """
            Path classes: PIX one PCIe switch, PXB several, PHB one host bridge,
            NODE one NUMA node, SYS across nodes.
            Examples:
              nearside topology --machine hgx-a100
              nearside topology -o svg > machine.svg
              nearside topology -o nccl > topology.xml; NCCL_TOPO_FILE=topology.xml
            """)

    enum Form: String, ExpressibleByArgument, CaseIterable {
        case text, json, yaml, svg, dot, nccl
    }

    @OptionGroup var source: SourceOptions

    @Option(name: .shortAndLong, help: "text, json, yaml, svg, dot (Graphviz) or nccl (a topology file for NCCL).")
    var output = Form.text

    func run() throws {
        let topology = try source.readTopology()
        switch output {
        case .text: Console.print(TopologyText(topology, terminal: Console.terminal).text)
        case .json: Console.print(try JSONOutput.text(TopologyDocument(topology)))
        case .yaml: Console.print(try YAMLOutput.text(TopologyDocument(topology)))
        case .svg: Console.print(TopologyPicture(topology).text())
        case .dot: Console.print(TopologyGraph.text(topology))
        case .nccl: Console.print(NCCLTopology(topology).text)
        }
    }
}

struct PairsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pairs",
        abstract: "Which accelerators go with which NICs, why, and how fast they are together.",
        discussion: "Example: nearside pairs --machine aws-p4d -o json")

    @OptionGroup var source: SourceOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let document = PairsDocument(try source.readTopology())
        try output.show(text: document.text, document: document)
    }
}

struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices",
        abstract: "All accelerators and NICs, and what each is for.", discussion: "Example: nearside devices -o json")

    @OptionGroup var source: SourceOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let document = DevicesDocument(try source.readTopology(), names: PCINames())
        try output.show(text: document.table, document: document)
    }
}

struct SlicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slices",
        abstract: "The ResourceSlices that a node of this kind would publish.",
        discussion: "Example: nearside slices --machine aws-p5 --own gpus -o json")

    @OptionGroup var source: SourceOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Accelerators this driver owns, with commas: gpus, neurons, gaudis, tpus.")
    var own = ""

    @Option(help: "Prefixes of virtual interfaces that pods may be given, with commas.")
    var virtualNics = ""

    @Option(help: "Name of the driver.")
    var driver = "dra.nearside"

    @Option(help: "Name of the node.")
    var nodeName = "node"

    func run() throws {
        let owned: Set<String>
        do throws(PublishingPolicy.UnknownFamily) { owned = try PublishingPolicy.owned(own) } catch {
            throw ValidationError("--own: \(error)")
        }
        let list = SlicesDocument.list(
            try source.readTopology(), driver: driver, node: nodeName, owned: owned,
            virtualNICs: virtualNics.split(separator: ",").map(String.init))
        try output.show(text: SlicesDocument.text(list), document: list)
    }
}

struct CaptureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "A description of the machine, for --machine FILE and for reports of errors.",
        discussion: """
            Serial numbers, hardware and network addresses, GUIDs and names that
            people gave are replaced by stand-ins; the topology stays the same.
            Example: nearside capture > machine.json
            """)

    @OptionGroup var source: SourceOptions

    @Flag(help: "Keep serial numbers, addresses, GUIDs and names.")
    var unmasked = false

    func run() throws {
        let machine = try source.read()
        let description = MachineDescription(machine: unmasked ? machine : machine.masked(), source: "nearside capture")
        Console.print(String(decoding: try description.json(), as: UTF8.self) + "\n")
    }
}
