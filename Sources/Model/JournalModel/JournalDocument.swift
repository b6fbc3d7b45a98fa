// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// A feature of a plan, a state or a report, beyond the base of version 2, that its reader has to support. A program refuses a file with
/// an unknown feature, because it would ignore a part of the file.
///
/// Each field that was added after version 2 belongs to a feature, and is written only if it is used.
package enum JournalFeature: String, Hashable, Sendable, CaseIterable {
    /// The pod gets an interface that is stacked on the host's.
    case subInterface
    case dhcp, dhcp6
    /// Pods that the plan does not name may use the claim.
    case openClaim
    case virtualFunction, rdmaDevice, vrf, rules, neighbours, segmentSizes, sysctls
    /// Offloads and flags of drivers (ethtool).
    case deviceFeatures, privateFlags
    case detachesPrograms
    /// The identity of the host's interface: its device and its permanent address.
    case identity
    /// The CDI specification is built from the plan, including device nodes.
    case containers, deviceNodes
    /// Parts of the record of an interface of the host.
    case softwareRDMA, queueing
    /// The interface's virtual functions are restored with it.
    case ownFunctions
    /// The claim's RDMA devices are checked for open contexts at its release.
    case sharedRDMA
    /// The record has n-tuple rules, RSS, hardware timestamping, FEC or Wake-on-LAN settings of a driver.
    case driverSettings
    /// The record has settings that only sysfs provides.
    case sysfsSettings
}

/// The contents of a file of the journal.
package protocol JournalValue: Codable {
    /// The limit of a file in bytes, for writing and reading.
    static var sizeLimit: Int { get }
    /// The UID in the file's name.
    var fileUID: String { get }
    var features: Set<JournalFeature> { get }
    /// The violations of limits.
    var problems: [JournalProblem] { get }
}

/// The text of a file: a value with the version of its format and the features that its reader has to support.
///
/// The text is strict: it has exactly the keys that this program writes, in the same order. Version 1 has no features, and can lack lists
/// that were added to it later (``AddedList``).
package struct JournalDocument<Value: JournalValue>: Codable {
    static var currentVersion: Int { 2 }

    var version: Int
    var requires: [String]?
    var value: Value

    private enum Key: String, CodingKey { case version, requires }

    init(_ value: Value) {
        version = Self.currentVersion
        requires = value.features.map(\.rawValue).sorted()
        self.value = value
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        version = try container.decode(Int.self, forKey: .version)
        guard (1...Self.currentVersion).contains(version) else {
            throw JournalTextError(.newerVersion, "version", "is \(version); this program supports versions 1 to \(Self.currentVersion)")
        }
        requires = try container.decodeIfPresent([String].self, forKey: .requires)
        let unknown = (requires ?? []).filter { JournalFeature(rawValue: $0) == nil }.sorted()
        guard unknown.isEmpty else {
            throw JournalTextError(
                .newerFeature, "requires",
                "has features of a newer version: \(unknown.prefix(8).map { $0.prefix(64) }.joined(separator: ", "))")
        }
        value = try Value(from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(version, forKey: .version)
        try container.encodeIfPresent(requires, forKey: .requires)
        try value.encode(to: encoder)
    }

    func text() throws -> [UInt8] {
        try JSONValue(encoding: self).text
    }

    // MARK: Reading

    /// Decodes a file's text, which may be hostile.
    ///
    /// - Throws: the first violation; ``JournalTextError/isNewer`` if a newer program may be able to read the file.
    package static func decode(_ bytes: [UInt8], uid: String) throws(JournalTextError) -> Value {
        guard bytes.count <= Value.sizeLimit else {
            throw JournalTextError(.tooLarge, "", "has \(bytes.count) bytes, more than \(Value.sizeLimit)")
        }
        try JSONTokens.check(bytes)
        let json = try parse(bytes)
        let document = try step { try json.decoded(as: Self.self) }
        let isFirst = document.version == 1
        guard !isFirst || document.requires == nil else {
            throw JournalTextError(.unknownKey, "requires", "is an unknown key of version 1")
        }
        try JSONComparison.check(bytes, against: try step { try document.text() }, allowsAbsentLists: isFirst)
        guard isFirst || document.requires != nil else { throw JournalTextError(.missingKey, "requires", "is missing") }
        guard isFirst || document.requires == JournalDocument(document.value).requires else {
            throw JournalTextError(.wrongFeatures, "requires", "is not the list of the features that the file uses")
        }
        try check(document.value, uid)
        return document.value
    }

    /// Encodes a value, and checks that the text can be decoded.
    package static func encode(_ value: Value, uid: String) throws(JournalTextError) -> [UInt8] {
        try check(value, uid)
        let bytes = try step { try JournalDocument(value).text() }
        guard bytes.count <= Value.sizeLimit else {
            throw JournalTextError(.tooLarge, "", "would have \(bytes.count) bytes, more than \(Value.sizeLimit)")
        }
        return bytes
    }

    private static func check(_ value: Value, _ uid: String) throws(JournalTextError) {
        guard value.fileUID == uid else { throw JournalTextError(.otherUID, "", "has another UID than the file's name") }
        let problems = value.problems
        guard problems.isEmpty else { throw JournalTextError(.outOfBounds, "", JournalProblem.text(problems)) }
    }

    /// Parses a text. The last of two equal keys counts; the comparison that follows finds the duplicate.
    private static func parse(_ bytes: [UInt8]) throws(JournalTextError) -> JSONValue {
        let limits = JSONLimits(bytes: Value.sizeLimit, depth: JSONTokens.depthLimit, values: .max, allowsDuplicates: true)
        do throws(JSONError) { return try JSONValue(parsing: bytes, limits: limits) } catch {
            throw JournalTextError(.notJSON, "", "is not JSON: \(error)")
        }
    }

    private static func step<Result>(_ body: () throws -> Result) throws(JournalTextError) -> Result {
        do { return try body() } catch let error as JournalTextError { throw error } catch { throw JournalTextError(error) }
    }
}

/// A violation of a limit in a plan, a state or a report.
package struct JournalProblem: Hashable, Sendable, CustomStringConvertible {
    /// The kind of the problem.
    package enum Code: Hashable, Sendable { case name, range, count, duplicate, length, forbidden }

    package var code: Code
    /// The path in the file: `devices[0].interface.mtu`.
    package var path: String
    package var text: String

    package var description: String { "\(path) \(text)" }

    /// At most 8 problems, and the number of the others.
    static func text(_ problems: [JournalProblem]) -> String {
        let more = problems.count > 8 ? ", and \(problems.count - 8) more" : ""
        return "violates its limits: " + problems.prefix(8).map(\.description).joined(separator: "; ") + more
    }
}
