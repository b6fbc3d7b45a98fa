// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Discovery
import Glibc
import Hardware
import Inspection
import Linux
import Primitives
import Topology

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Compares an allocation with the best one on its machine.",
        discussion: """
            CLAIM is a file with a ResourceClaim as JSON, - for standard input,
            or namespace/name of a claim that kubectl gets. The machine is this
            one unless --machine or --host-root names another.
            Examples:
              nearside explain default/training-0
              nearside explain claim.json --machine aws-p5
              nearside explain --devices 0000:53:00.0,ens5 --machine aws-p5
            Exit status: 0 the allocation is the best; 2 a better one is possible; 1 the
            claim or the machine cannot be read.
            """)

    @Argument(help: "File with a ResourceClaim, - for standard input, or namespace/name.")
    var claim: String?

    @Option(help: "Devices instead of a claim, separated by commas: PCI addresses, interfaces or names in slices.")
    var devices: String?

    @OptionGroup var source: SourceOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if (claim == nil) == (devices == nil) { throw ValidationError("set either CLAIM or --devices") }
    }

    func run() throws {
        let topology = try source.readTopology()
        let explanation: Explanation
        do throws(InputError) {
            if let devices {
                explanation = try Explanation(devices: devices.split(separator: ",").map(String.init), of: topology)
            } else {
                explanation = try Explanation(claim: try bytes(claim ?? "-"), of: topology)
            }
        } catch { throw Console.failure("\(error)") }
        try output.show(text: explanation.text, document: explanation)
        if !explanation.isBest { throw ExitCode(2) }
    }

    private static let limit = 16 << 20

    private func bytes(_ claim: String) throws(InputError) -> [UInt8] {
        do throws(SystemError) {
            if claim == "-" { return try StandardStream.input.readToEnd(limit: Self.limit) }
            if Files.exists(claim) { return try Files.read(claim, limit: Self.limit) }
        } catch { throw InputError(.unreadable, error.object, at: error.step, error.cause) }
        let parts = claim.split(separator: "/")
        guard parts.count == 2, !claim.hasPrefix("/"), !claim.hasPrefix("."), !claim.hasPrefix("-") else {
            throw InputError(.malformed, "\"\(claim)\"", "neither a file nor namespace/name")
        }
        let arguments = ["kubectl", "get", "resourceclaim", "-n", String(parts[0]), String(parts[1]), "-o", "json"]
        let ended: (status: Int32, output: [UInt8])
        do throws(SystemError) { ended = try Command.run(arguments, limit: Self.limit) } catch {
            throw InputError(.unreadable, claim, "not a file, and kubectl cannot get a claim of that name: \(error)")
        }
        guard ended.status == 0 else {
            throw InputError(.unreadable, claim, "kubectl did not get the claim; its message is above")
        }
        return ended.output
    }
}

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Finds problems that cost this machine bandwidth or devices, with advice.",
        discussion: """
            Checks PCIe links, access control, NUMA nodes, ports, pairs,
            drivers, kernel modules and limits. Run it as root: other users
            cannot read the access control of PCIe switches.
            Examples:
              nearside doctor
              nearside doctor --machine capture.json -o json
            Exit status: 0 no problem; 2 a problem was found; 1 the machine
            cannot be read.
            """)

    @OptionGroup var source: SourceOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let topology = try source.readTopology()
        var facts: HostFacts?
        if source.machine == nil {
            let groups = Set(topology.machine.functions.compactMap(\.iommuGroup))
            facts = HostFacts(root: source.hostRoot ?? "/", groups: groups, isLive: source.hostRoot == nil)
        }
        let doctor = Doctor(topology, host: facts)
        try output.show(text: doctor.text(Console.terminal), document: doctor)
        if doctor.hasProblems { throw ExitCode(2) }
    }
}

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Simulates the allocation of the accelerators of many nodes.",
        discussion: """
            Fills nodes of one machine type with claims, the way kube-scheduler
            allocates, until none fits; then random claims end and others
            follow. Compares claims without a constraint, with matchAttribute on pcieRoot, numaNode
            and pair, and with pair devices.
            Examples:
              nearside simulate --machine aws-p4d --claims 1:50,2:25,4:15,8:10
              nearside simulate --machine all --nodes 5000 -o svg > chart.svg
            """)

    enum Form: String, ExpressibleByArgument, CaseIterable {
        case text, json, yaml, svg
    }

    @OptionGroup var source: SourceOptions

    @Option(
        help: ArgumentHelp(
            "Sizes of claims and weights, separated by commas; 1a means an accelerator without NICs. Default: 1:40,2:20,4:15,8:10,1a:15, limited to sizes that fit.",
            valueName: "size:weight,..."))
    var claims: String?

    @Option(help: "Number of nodes, 1 to 100000.")
    var nodes = 100

    @Option(help: "Average number of times that a place is freed and allocated again.")
    var turnover = 3

    @Option(help: "Seed of the random order of claims.")
    var seed: UInt64 = 1

    @Option(name: .shortAndLong, help: "Format: text, json, yaml or svg.")
    var output = Form.text

    func validate() throws {
        guard (1...100_000).contains(nodes) else { throw ValidationError("--nodes must be 1 to 100000") }
        guard (0...100).contains(turnover) else { throw ValidationError("--turnover must be 0 to 100") }
    }

    func run() throws {
        var mix: ClaimMix
        do throws(InputError) { mix = try ClaimMix(claims ?? "1:40,2:20,4:15,8:10,1a:15") } catch {
            throw ValidationError("--claims: \(error)")
        }
        var topologies: [(name: String, topology: MachineTopology)] = []
        if source.machine == "all" {
            let policy = try source.readPolicy()
            for name in MachineDescription.embeddedNames {
                guard let description = try MachineDescription.embedded(name) else { continue }
                let topology = MachineTopology(description.machine, policy: policy)
                if !topology.pairing.pairs.isEmpty { topologies.append((name, topology)) }
            }
        } else {
            let topology = try source.readTopology()
            topologies = [(topology.machine.name ?? "this machine", topology)]
            if claims == nil { mix.parts.removeAll { $0.accelerators > topology.devices.count { $0.kind == .accelerator } } }
        }
        let document: SimulationDocument
        do throws(InputError) {
            document = try SimulationDocument(topologies, nodes: nodes, mix: mix, turnover: turnover, seed: seed)
        } catch {
            throw Console.failure("\(error)")
        }
        switch output {
        case .text: Console.print(document.text)
        case .json: Console.print(try JSONOutput.text(document))
        case .yaml: Console.print(try YAMLOutput.text(document))
        case .svg: Console.print(SimulationChart.text(document))
        }
    }
}
