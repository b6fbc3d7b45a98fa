// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Hardware
import Linux
package import Primitives
package import Topology

/// Reads topology policies of operators: `api/topology-policy.schema.json`.
///
///     {"apiVersion": "nearside/v1alpha1", "kind": "TopologyPolicy",
///      "roles": {"fabric": ["id=15b3:101e"], "storage": ["interface=store*"]},
///      "hints": [{"machine": "Virtual Machine", "ncclTopology": "/etc/nearside/ndv5-topo.xml"},
///                {"machine": "*", "groups": [["0001:00:00.0", "0101:00:00.0"]]}]}
package enum PolicyFile {
    private struct Document: Decodable {
        struct Hint: Decodable {
            var machine: String?
            var groups: [[PCIAddress]]?
            var ncclTopology: String?

            private enum CodingKeys: String, CodingKey, CaseIterable { case machine, groups, ncclTopology }

            init(from decoder: any Decoder) throws {
                try Keys(from: decoder).check(CodingKeys.allCases.map(\.rawValue), decoder)
                let values = try decoder.container(keyedBy: CodingKeys.self)
                machine = try values.decodeIfPresent(String.self, forKey: .machine)
                groups = try values.decodeIfPresent([[PCIAddress]].self, forKey: .groups)
                ncclTopology = try values.decodeIfPresent(String.self, forKey: .ncclTopology)
            }
        }

        var apiVersion: String
        var kind: String
        var roles: [String: [String]]?
        var hints: [Hint]?

        private enum CodingKeys: String, CodingKey, CaseIterable { case apiVersion, kind, roles, hints }

        init(from decoder: any Decoder) throws {
            try Keys(from: decoder).check(CodingKeys.allCases.map(\.rawValue), decoder)
            let values = try decoder.container(keyedBy: CodingKeys.self)
            apiVersion = try values.decode(String.self, forKey: .apiVersion)
            kind = try values.decode(String.self, forKey: .kind)
            roles = try values.decodeIfPresent([String: [String]].self, forKey: .roles)
            hints = try values.decodeIfPresent([Hint].self, forKey: .hints)
        }
    }

    /// The keys of an object. An unknown key is an error, so that misspelt keys are not ignored.
    private struct Keys: Decodable {
        struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        var names: [String]

        init(from decoder: any Decoder) throws {
            names = try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue)
        }

        func check(_ known: [String], _ decoder: any Decoder) throws {
            guard let unknown = names.sorted().first(where: { !known.contains($0) }), let key = Name(stringValue: unknown) else { return }
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath + [key], debugDescription: "is not one of \(known.joined(separator: ", "))"))
        }
    }

    private static let limit = 4 << 20

    /// Reads a policy and the topology files that it names.
    package static func read(_ path: String) throws(InputError) -> TopologyPolicy {
        let data = Data(try bytes(path))
        let document: Document
        do { document = try JSONDecoder().decode(Document.self, from: data) } catch { throw InputError(decoding: path, error) }
        guard document.apiVersion == "nearside/v1alpha1", document.kind == "TopologyPolicy" else {
            throw InputError(
                .unsupported, path, "the document is \(document.kind) of \(document.apiVersion), not TopologyPolicy of nearside/v1alpha1")
        }
        var policy = TopologyPolicy()
        for (name, selectors) in document.roles ?? [:] {
            guard let role = Role(rawValue: name), [.fabric, .storage, .management].contains(role) else {
                throw InputError(.unknown, path, at: "roles.\(name)", "unknown role; roles are fabric, storage, management")
            }
            for text in selectors { policy.add(try selector(text, path, at: "roles.\(name)"), to: role) }
        }
        for (index, entry) in (document.hints ?? []).enumerated() {
            let hint: Hint
            switch (entry.groups, entry.ncclTopology) {
            case (let groups?, nil): hint = Hint(source: path, groups: groups)
            case (nil, let file?): hint = try self.hint(file)
            default: throw InputError(.malformed, path, at: "hints[\(index)]", "either groups or ncclTopology is required")
            }
            policy.hints.append(.init(machine: entry.machine ?? "*", hint: hint))
        }
        return policy
    }

    /// Reads an NCCL topology file as a hint.
    package static func hint(_ path: String) throws(InputError) -> Hint {
        try Hint(nccl: try bytes(path), source: path)
    }

    /// Decodes a selector of a file or a flag.
    package static func selector(_ text: String, _ object: String, at step: String? = nil) throws(InputError) -> Selector {
        do throws(InputError) { return try Selector(text) } catch { throw error.within(object, at: step) }
    }

    /// The policy of a program's flags.
    ///
    /// - Parameters:
    ///   - file: a policy file, or nil.
    ///   - fabric: selectors of fabric NICs.
    ///   - hint: an NCCL topology file for this machine.
    package static func policy(file: String?, fabric: [String], hint: String?) throws(InputError) -> TopologyPolicy {
        var policy = try file.map { path throws(InputError) in try read(path) } ?? TopologyPolicy()
        for text in fabric { policy.add(try selector(text, "--fabric"), to: .fabric) }
        if let hint { policy.hints.insert(.init(machine: "*", hint: try self.hint(hint)), at: 0) }
        return policy
    }

    private static func bytes(_ path: String) throws(InputError) -> [UInt8] {
        do throws(SystemError) { return try Files.read(path, limit: limit) } catch {
            throw InputError(.unreadable, path, at: error.step, error.cause)
        }
    }
}

extension TopologyPolicy {
    fileprivate mutating func add(_ selector: Selector, to role: Role) { roles[role, default: []].append(selector) }
}
