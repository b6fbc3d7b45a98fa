// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Primitives

/// A machine description, the file format of `api/machine.schema.json`.
///
/// A description is captured or written manually; tests and inspection decode it to the same ``Machine``.
package struct MachineDescription: Hashable, Sendable, Codable {
    package static let apiVersion = "nearside/v1alpha1"
    package static let kind = "Machine"

    package var machine: Machine
    /// Source of the facts.
    package var source: String?
    /// Notes for readers, such as missing facts and stand-ins.
    package var note: String?

    package init(machine: Machine, source: String? = nil, note: String? = nil) {
        self.machine = machine
        self.source = source
        self.note = note
    }

    private enum CodingKeys: String, CodingKey {
        case apiVersion, kind, source, note
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let apiVersion = try values.decode(String.self, forKey: .apiVersion)
        let kind = try values.decode(String.self, forKey: .kind)
        guard apiVersion == Self.apiVersion, kind == Self.kind else {
            throw DecodingError.dataCorruptedError(
                forKey: .kind, in: values,
                debugDescription:
                    "this is a \(kind) of \(apiVersion); wanted is a \(Self.kind) of \(Self.apiVersion)")
        }
        self.init(
            machine: try Machine(from: decoder),
            source: try values.decodeIfPresent(String.self, forKey: .source),
            note: try values.decodeIfPresent(String.self, forKey: .note))
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(Self.apiVersion, forKey: .apiVersion)
        try values.encode(Self.kind, forKey: .kind)
        try values.encodeIfPresent(source, forKey: .source)
        try values.encodeIfPresent(note, forKey: .note)
        try machine.encode(to: encoder)
    }
}

extension MachineDescription {
    /// Decodes a description, and checks rules that the schema cannot express, such as unique addresses.
    package init(json: some Sequence<UInt8>) throws(InputError) {
        let object = "machine description"
        do { self = try JSONDecoder().decode(MachineDescription.self, from: Data(json)) } catch {
            throw InputError(decoding: object, error)
        }
        var seen: Set<PCIAddress> = []
        for function in machine.functions where !seen.insert(function.address).inserted {
            throw InputError(.duplicate, object, at: "functions", "\(function.address) occurs twice")
        }
        for node in machine.numaNodes where !node.distances.isEmpty && node.distances.count != machine.numaNodes.count {
            throw InputError(
                .malformed, object, at: "numaNodes",
                "node \(node.id) has \(node.distances.count) distances to \(machine.numaNodes.count) nodes")
        }
        var names: Set<String> = []
        for netdev in machine.allNetdevs where !names.insert(netdev.name).inserted {
            throw InputError(.duplicate, object, at: "netdevs", "\(netdev.name) occurs twice")
        }
    }

    /// Encodes the description with sorted keys and indentation.
    package func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(self))
    }
}
