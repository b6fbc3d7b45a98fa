// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Discovery
import Hardware
import Inspection
import Primitives
import ResourceAPI
import SliceModel
import Topology

struct TopologyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "Shows the machine as a tree with a matrix of paths, or as a picture.",
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

    @Option(name: .shortAndLong, help: "Format: text, json, yaml, svg, dot (Graphviz) or nccl (a topology file for NCCL).")
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
        abstract: "Shows the pairs of accelerators and NICs, with reason and predicted bandwidth.",
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
        abstract: "Lists all accelerators and NICs with their roles.", discussion: "Example: nearside devices -o json")

    @OptionGroup var source: SourceOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let document = DevicesDocument(try source.readTopology(), names: PCINames().name)
        try output.show(text: document.table, document: document)
    }
}

struct SlicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slices",
        abstract: "Prints the ResourceSlices that a node with this machine would publish.",
        discussion: """
            The slices equal those of nearside-node with the same options, including
            device conditions. pciVendor and pciDevice come from pci.ids of the
            machine that runs this command.
            Examples:
              nearside slices --machine aws-p5 --own gpus
              nearside slices --own gpus --cluster-lacks counters,taints -o yaml
            """)

    @OptionGroup var source: SourceOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var publishing: PublishingOptions

    @Option(help: "Name of the node.")
    var nodeName = "node"

    @Option(help: "Features that the cluster lacks, separated by commas: counters, taints, sharing.")
    var clusterLacks = ""

    func run() throws {
        var lacking: Set<ClusterFeature> = []
        for word in clusterLacks.split(separator: ",") {
            guard let feature = ClusterFeature(rawValue: String(word)) else {
                let known = ClusterFeature.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--cluster-lacks: \"\(word)\" is not a feature; features are \(known)")
            }
            lacking.insert(feature)
        }
        let topology = try source.readTopology()
        var names = PCINameTable()
        PCINames().complete(&names, for: topology.machine)
        let list = SlicesDocument.list(topology, try publishing.policy(), node: nodeName, names: names, lacking: lacking)
        try output.show(text: SlicesDocument.text(list), document: list)
    }
}

/// Options for the published devices, the same as those of nearside-node.
struct PublishingOptions: ParsableArguments {
    @Option(help: "Accelerators that this driver owns, separated by commas: gpus, neurons, gaudis, tpus.")
    var own = ""

    @Option(help: "Prefixes of virtual interfaces that pods may have, separated by commas.")
    var virtualNics = ""

    @Option(help: "Name of the driver.")
    var driver = "dra.nearside"

    @Option(help: "Number of claims that can share an RDMA NIC without an interface.")
    var shareNics: Int?

    @Option(help: "Taint effects of device conditions, such as link-down=NoExecute,no-driver=off.")
    var taint = ""

    func policy() throws -> PublishingPolicy {
        let taints: TaintPolicy
        do throws(InputError) { taints = try TaintPolicy(parsing: taint) } catch { throw ValidationError("--taint: \(error)") }
        let owned: Set<String>
        do throws(InputError) { owned = try PublishingPolicy.owned(own) } catch {
            throw ValidationError("--own: \(error)")
        }
        guard Limits.isDriverName(driver) else {
            throw ValidationError("--driver must be a DNS name of at most 63 bytes such as dra.nearside, not \"\(driver)\"")
        }
        if let shareNics, !(2...1000).contains(shareNics) { throw ValidationError("--share-nics must be 2 to 1000") }
        return PublishingPolicy(
            driver: driver, owned: owned, virtualNICs: virtualNics.split(separator: ",").map(String.init), taints: taints, shares: shareNics
        )
    }
}

struct CaptureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "Prints a description of the machine, for --machine FILE and for bug reports.",
        discussion: """
            Serial numbers, hardware and network addresses, GUIDs and administrators'
            names are replaced by placeholders; the topology stays the same.
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
