// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Discovery
import Glibc
import Hardware
import Inspection
import Linux
import Publishing

@main
struct Nearside: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nearside",
        abstract: "Shows which NIC is on the near side of which accelerator.",
        discussion: """
            Examples:
              nearside pairs                      the pairs of this machine
              nearside topology --machine aws-p5  a machine type
              nearside slices --host-root DIR -o json
            Exit status: 0 well, 1 the machine cannot be read, 64 wrong use.
            """,
        subcommands: [Topology.self, Pairs.self, Devices.self, Slices.self, Capture.self, Demo.self])

    /// Prints the document in the form that was asked for; errors become one line.
    static func show(
        _ options: SourceOptions, text: (Machine) throws -> String, document: (Machine) throws -> some Encodable
    ) throws {
        let machine: Machine
        do throws(MachineSource.Unusable) { machine = try options.source.read() } catch {
            try? Descriptor(owning: dup(2)).write(all: [UInt8]("nearside: \(error)\n".utf8))
            throw ExitCode(1)
        }
        let output =
            switch options.output {
            case .text: try text(machine)
            case .json: try JSONOutput.text(document(machine))
            case .yaml: try YAMLOutput.text(document(machine))
            }
        try? Descriptor(owning: dup(1)).write(all: [UInt8](output.utf8))
    }
}

enum OutputForm: String, ExpressibleByArgument, CaseIterable {
    case text, json, yaml
}

struct SourceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("An embedded machine or a machine description.", valueName: "name|file"))
    var machine: String?

    @Option(help: ArgumentHelp("A captured tree with sys and proc.", valueName: "dir"))
    var hostRoot: String?

    @Option(name: .shortAndLong, help: "text, json or yaml.")
    var output = OutputForm.text

    func validate() throws {
        if machine != nil, hostRoot != nil { throw ValidationError("--machine and --host-root exclude each other") }
    }

    var source: MachineSource {
        if let machine { return .description(machine) }
        if let hostRoot { return .tree(hostRoot) }
        return .live
    }
}

struct Topology: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The machine as a tree, with the pair of each device.",
        discussion: "Example: nearside topology --machine hgx-a100")

    @OptionGroup var source: SourceOptions

    func run() throws {
        let colours = isatty(1) == 1 && getenv("NO_COLOR") == nil
        try Nearside.show(
            source, text: { TopologyView($0, colours: colours).text },
            document: { TopologyDocument($0) })
    }
}

struct Pairs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Which accelerators go with which NICs, and how near they are.",
        discussion: "Example: nearside pairs --machine aws-p4d -o json")

    @OptionGroup var source: SourceOptions

    func run() throws {
        try Nearside.show(
            source, text: { PairsDocument($0).text }, document: { PairsDocument($0) })
    }
}

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "All accelerators and NICs.", discussion: "Example: nearside devices -o json")

    @OptionGroup var source: SourceOptions

    func run() throws {
        try Nearside.show(
            source, text: { DevicesDocument($0, names: PCINames()).table }, document: { DevicesDocument($0, names: PCINames()) })
    }
}

struct Slices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The ResourceSlices that a node of this kind would publish.",
        discussion: "Example: nearside slices --machine aws-p5 --own gpus -o json")

    @OptionGroup var source: SourceOptions

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
        let virtual = virtualNics.split(separator: ",").map(String.init)
        func list(_ machine: Machine) -> some Sendable & Encodable {
            SlicesDocument.list(machine, driver: driver, node: nodeName, owned: owned, virtualNICs: virtual)
        }
        try Nearside.show(
            source,
            text: {
                SlicesDocument.text(
                    SlicesDocument.list($0, driver: driver, node: nodeName, owned: owned, virtualNICs: virtual))
            },
            document: { list($0) })
    }
}

struct Capture: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A description of the machine, for --machine FILE and for reports of errors.",
        discussion: """
            Serial numbers, hardware and network addresses, GUIDs and names people gave are replaced by
            stand-ins; the topology stays the same.
            Example: nearside capture > machine.json && nearside pairs --machine machine.json
            """)

    @Option(help: ArgumentHelp("A captured tree with sys and proc, instead of this machine.", valueName: "dir"))
    var hostRoot: String?

    @Flag(help: "Keep serial numbers, addresses, GUIDs and names.")
    var unmasked = false

    func run() throws {
        let source: MachineSource = hostRoot.map { .tree($0) } ?? .live
        let machine: Machine
        do throws(MachineSource.Unusable) { machine = try source.read() } catch {
            try? Descriptor(owning: dup(2)).write(all: [UInt8]("nearside: \(error)\n".utf8))
            throw ExitCode(1)
        }
        let description = MachineDescription(machine: unmasked ? machine : machine.masked(), source: "nearside capture")
        try? Descriptor(owning: dup(1)).write(all: try description.json() + [0x0a])
    }
}

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The whole path on this machine: from devices to a pod with its NICs and back.",
        discussion: "Runs nearside-demo, which lies beside this program. Needs root for the pod's part.")

    @Flag(help: "Show what the daemons log.")
    var verbose = false

    func run() throws {
        // A program of its own, so that this one carries no API server and no kubelet.
        guard let own = Files.resolve("/proc/self/exe"), let slash = own.lastIndex(of: "/") else { return }
        let path = own[..<slash] + "/nearside-demo"
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(String(path)), verbose ? strdup("--verbose") : nil, nil]
        execv(String(path), &arguments)
        throw ValidationError("\(SystemError("start", String(path)))")
    }
}
