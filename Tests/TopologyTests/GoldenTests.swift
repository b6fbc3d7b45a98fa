// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Inspection
import Linux
import Testbed
import Testing
import Topology

/// The result for every machine as text, compared with an independent method.
struct GoldenTests {
    /// Embedded machines, and machines from the folder of the discovery tests.
    static let machines: [String] =
        MachineDescription.embeddedNames
        + Files.list("\(Place.project)/Tests/Machines").map { String($0.dropLast(5)) }.sorted()

    private static func topology(_ name: String) throws -> MachineTopology {
        if let embedded = try MachineDescription.embedded(name) { return MachineTopology(embedded.machine) }
        let file = "\(Place.project)/Tests/Machines/\(name).json"
        return MachineTopology(try MachineDescription(json: try Files.read(file)).machine)
    }

    @Test
    func `there are at least twenty embedded machines, with unique names`() throws {
        #expect(MachineDescription.embeddedNames.count >= 20)
        #expect(Set(MachineDescription.embeddedNames).count == MachineDescription.embeddedNames.count)
        for name in MachineDescription.embeddedNames { #expect(try MachineDescription.embedded(name) != nil) }
    }

    /// NEARSIDE_GOLDEN=write rewrites the file after an intended change.
    @Test
    func `every machine has the reviewed pairs, roles and sets`() throws {
        var text = ""
        for name in Self.machines {
            let topology = try Self.topology(name)
            text += "== \(name)\n"
            for pair in topology.pairing.pairs {
                let paths = PathClass.allCases.filter { name in pair.links.contains { $0.path.pathClass == name } }.map(\.name)
                text += "\(pair.name) \(pair.basis.rawValue) \(paths.joined(separator: ",")) \(pair.gbps.map { String(Int($0)) } ?? "?"): "
                text +=
                    "\(pair.accelerators.map(\.address).joined(separator: " ")) with \(pair.nics.map(\.address).joined(separator: " "))\n"
            }
            for set in topology.sets.sets { text += "\(set.name) \(set.rails.map(String.init).joined(separator: " "))\n" }
            let nics = topology.machine.devices.filter { $0.kind == .nic }
            for (role, devices) in Dictionary(grouping: nics, by: { topology.role(of: $0) }).sorted(by: {
                ($0.key.role.rawValue, $0.key.reason) < ($1.key.role.rawValue, $1.key.reason)
            }) {
                text += "\(role.role.rawValue) x \(devices.count): \(role.reason)\n"
            }
        }
        let path = "\(Place.project)/Tests/TopologyTests/Golden/machines.txt"
        if getenv("NEARSIDE_GOLDEN").map({ String(cString: $0) }) == "write" { try Files.write(path, text) }
        let wanted = try Files.readText(path)
        // Line by line, because a failed comparison prints the whole text.
        let (found, golden) = (text.split(separator: "\n"), wanted.split(separator: "\n"))
        #expect(found.count == golden.count)
        for (line, other) in zip(found, golden) where line != other { Issue.record("found \(line), wanted \(other)") }
    }

    @Test(arguments: ["aws-p5", "aws-p6e-gb200"])
    func `the pictures in the documentation equal the program's output`(name: String) throws {
        let path = "\(Place.project)/docs/pictures/\(name).svg"
        let picture = TopologyPicture(try Self.topology(name)).text()
        if getenv("NEARSIDE_GOLDEN").map({ String(cString: $0) }) == "write" { try Files.write(path, picture) }
        let isSame = try Files.readText(path) == picture
        #expect(isSame)
    }

    @Test(arguments: machines)
    func `an independent method finds no better worst distance and no better sum`(name: String) throws {
        let topology = try Self.topology(name)
        let accelerators = topology.pairing.pairs.flatMap(\.accelerators)
        let nics = topology.fabric.nics
        guard !accelerators.isEmpty else { return }
        let table = accelerators.map { accelerator in
            nics.map { topology.distances.path(accelerator, $0)?.distance ?? Distance(pathClass: .unknown) }
        }
        let share = topology.pairing.pairs.map { max($0.nics.count, $0.accelerators.count) }.max() ?? 1
        let best = try #require(CheapestFlow.best(table, share: share))
        #expect(topology.distancesOfPairs.max() == best.worst)
        #expect(topology.distancesOfPairs.map(\.pathClass.rawValue).reduce(0, +) == best.sum[0])
        #expect(topology.distancesOfPairs.map(\.numa).reduce(0, +) == best.sum[1])
        #expect(topology.distancesOfPairs.map(\.narrowness).reduce(0, +) == best.sum[2])
    }

    @Test(arguments: machines)
    func `the loss of any device changes only its own pair, and no rails`(name: String) throws {
        let whole = try Self.topology(name)
        guard !whole.pairing.pairs.isEmpty else { return }
        for pair in whole.pairing.pairs {
            guard let lost = (pair.nics + pair.accelerators).compactMap(\.function).first else { continue }
            let rest = MachineTopology(whole.machine.without(lost.address), known: whole.machine)
            let others = whole.partners.filter { entry in !pair.accelerators.contains { $0.address == entry.key } }
            for (accelerator, nics) in others { #expect(rest.partners[accelerator] == nics, "\(name) without \(lost.address)") }
            for other in rest.pairing.pairs {
                guard let member = other.accelerators.first(where: { others[$0.address] != nil }) else { continue }
                #expect(whole.pair(of: member)?.rail == other.rail)
            }
        }
    }
}
