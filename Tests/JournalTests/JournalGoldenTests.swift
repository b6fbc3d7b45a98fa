// SPDX-License-Identifier: Apache-2.0

import Foundation
import JournalModel
import Linux
import Testbed
import Testing

/// A file of the journal as written by the program of one commit, and its result today.
///
/// There is one file for each change of the fields of plans, states and reports, named after the commit. The types of that commit decoded
/// one large text with the fields that they supported, and encoded the value with their writer's options.
struct LandedFile: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// The file is readable: encoded again, it has the same fields, and these empty lists.
        case read(added: Set<String>)
        case refused(JournalTextError.Code, String)
    }

    var name: String
    var outcome: Outcome

    var testDescription: String { name }

    func bytes() throws -> [UInt8] { try Files.read("\(JournalGolden.folder)/landed/\(name).json") }

    private static let noRules: Outcome = .read(added: ["neighbours", "rules"])
    private static let noBoot: Outcome = .refused(.missingKey, "boot")
    private static let whole: Outcome = .read(added: [])

    static let all: [LandedFile] = [
        // Version 1.
        LandedFile(name: "plan-2b46ee7", outcome: noRules), LandedFile(name: "plan-1228f32", outcome: noRules),
        LandedFile(name: "plan-6523b8b", outcome: noRules), LandedFile(name: "plan-d7b0b46", outcome: whole),
        LandedFile(name: "plan-098e686", outcome: whole), LandedFile(name: "plan-f282edb", outcome: whole),
        LandedFile(name: "plan-31c5596", outcome: whole), LandedFile(name: "plan-5a24c9f", outcome: whole),
        // Since the fourth of these, a state includes the boot in which it was written.
        LandedFile(name: "state-2b46ee7", outcome: noBoot),
        LandedFile(name: "state-53ce691", outcome: noBoot), LandedFile(name: "state-140273f", outcome: noBoot),
        LandedFile(name: "state-d7b0b46", outcome: .read(added: ["queueing"])),
        LandedFile(name: "state-1f3a803", outcome: .read(added: ["queueing"])),
        LandedFile(name: "state-ab7cef1", outcome: .read(added: ["queueing"])), LandedFile(name: "state-f511e14", outcome: whole),
        LandedFile(name: "state-f282edb", outcome: whole), LandedFile(name: "late-9dd2fe2", outcome: whole),
        // Version 2. Since the second of these, the features of the containers' part have names.
        LandedFile(name: "plan-91ce278", outcome: .refused(.wrongFeatures, "requires")), LandedFile(name: "plan-82a1baa", outcome: whole),
        LandedFile(name: "plan-632edd9", outcome: whole), LandedFile(name: "state-91ce278", outcome: whole),
        LandedFile(name: "state-82a1baa", outcome: whole), LandedFile(name: "state-acbba08", outcome: whole),
        LandedFile(name: "state-c4b0093", outcome: whole), LandedFile(name: "state-18e5cb8", outcome: whole),
        LandedFile(name: "state-4605c18", outcome: whole), LandedFile(name: "state-a8a064d", outcome: whole),
        LandedFile(name: "state-sysfs", outcome: whole), LandedFile(name: "late-91ce278", outcome: whole),
    ]
}

/// Files of the journal that are stored with the tests.
enum JournalGolden {
    static let folder = "\(Place.project)/Tests/JournalTests/Golden"

    /// The newest golden files, which have every field.
    static let plan = "plan-632edd9"
    static let state = "state-sysfs"
    static let late = "late-91ce278"

    /// Decodes a file of the kind at the beginning of its name, and encodes the value.
    static func rewritten(_ name: String, _ bytes: [UInt8]) throws(JournalTextError) -> [UInt8] {
        if name.hasPrefix("plan") { return try rewritten(ClaimPlan.self, bytes, JournalSample.claim) }
        if name.hasPrefix("state") { return try rewritten(ClaimState.self, bytes, JournalSample.claim) }
        return try rewritten(LatePod.self, bytes, JournalSample.pod)
    }

    private static func rewritten<Value: JournalValue>(
        _ type: Value.Type, _ bytes: [UInt8], _ uid: String
    ) throws(JournalTextError) -> [UInt8] {
        try JournalDocument<Value>.encode(JournalDocument<Value>.decode(bytes, uid: uid), uid: uid)
    }

    /// The text of a JSON value with keys in byte order, as in the journal.
    static func text(_ value: Any) throws -> String {
        if let object = value as? [String: Any] {
            let members = try object.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { key, value in
                "\(try text(key)):\(try text(value))"
            }
            return "{\(members.joined(separator: ","))}"
        }
        if let list = value as? [Any] { return "[\(try list.map { try text($0) }.joined(separator: ","))]" }
        let options: JSONSerialization.WritingOptions = [.fragmentsAllowed, .withoutEscapingSlashes]
        return String(decoding: try JSONSerialization.data(withJSONObject: value, options: options), as: UTF8.self)
    }

    static func object(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }
}

struct JournalGoldenTests {
    /// Removes the empty lists that the older value lacks from the newer one, and collects their keys.
    private func withoutAdded(_ newer: Any, _ older: Any, _ added: inout Set<String>) -> Any {
        switch (newer, older) {
        case (let newer as [String: Any], let older as [String: Any]):
            var result: [String: Any] = [:]
            for (key, value) in newer {
                if let part = older[key] {
                    result[key] = withoutAdded(value, part, &added)
                } else if let list = value as? [Any], list.isEmpty {
                    added.insert(key)
                } else {
                    result[key] = value
                }
            }
            return result
        case (let newer as [Any], let older as [Any]) where newer.count == older.count:
            return zip(newer, older).map { withoutAdded($0, $1, &added) }
        default: return newer
        }
    }

    @Test(arguments: LandedFile.all)
    func `a file of each former format is read with all its fields, or refused with a code`(file: LandedFile) throws {
        let bytes = try file.bytes()
        let rewrite = { () throws(JournalTextError) in try JournalGolden.rewritten(file.name, bytes) }
        switch file.outcome {
        case .refused(let code, let path):
            let error = #expect(throws: JournalTextError.self) { _ = try rewrite() }
            #expect(error?.code == code && error?.path == path, "\(error?.description ?? "")")
        case .read(let expected):
            var (now, before) = (try JournalGolden.object(rewrite()), try JournalGolden.object(bytes))
            #expect(now["version"] as? Int == 2 && now["requires"] as? [String] != nil)
            for key in ["version", "requires"] { (now[key], before[key]) = (nil, nil) }
            var added: Set<String> = []
            let known = try #require(withoutAdded(now, before, &added) as? [String: Any])
            #expect(known as NSDictionary == before as NSDictionary)
            #expect(added == expected)
        }
    }

    @Test
    func `every golden file has an expectation, and the newest equal today's files byte for byte`() throws {
        let names = Set(Files.list("\(JournalGolden.folder)/landed"))
        #expect(names == Set(LandedFile.all.map { "\($0.name).json" }))
        for name in [JournalGolden.plan, JournalGolden.state, JournalGolden.late] {
            let bytes = try Files.read("\(JournalGolden.folder)/landed/\(name).json")
            #expect(try JournalGolden.rewritten(name, bytes) == bytes, "\(name)")
        }
    }
}
