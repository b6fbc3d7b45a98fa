// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// One thing that is wrong with a configuration: where, and what would be right.
package struct ConfigProblem: Hashable, Sendable, CustomStringConvertible {
    /// JSON path: `interface.addresses[1]`.
    package var path: String
    package var text: String

    package init(_ path: String, _ text: String) {
        self.path = path
        self.text = text
    }

    package var description: String { "\(path): \(text)" }
}

/// All that is wrong with a configuration, at once.
package struct InvalidConfig: Error, Hashable, Sendable, CustomStringConvertible {
    package var problems: [ConfigProblem]

    package init(problems: [ConfigProblem]) { self.problems = problems }

    package var description: String { problems.map(\.description).joined(separator: "; ") }
}

/// Reads JSON field by field and remembers every problem.
struct ConfigReader {
    private(set) var problems: [ConfigProblem] = []

    mutating func problem(_ path: String, _ text: String) {
        problems.append(ConfigProblem(path, text))
    }

    mutating func object(
        _ json: JSONValue, at path: String, fields: [String],
        _ body: (inout ConfigReader, [String: JSONValue]) -> Void
    ) {
        guard case .object(let members) = json else {
            return problem(path.isEmpty ? "parameters" : path, "is \(json.kind), not an object")
        }
        for name in members.keys.sorted() where !fields.contains(name) {
            problem(
                path.isEmpty ? name : "\(path).\(name)",
                "is not a known field; known are \(fields.joined(separator: ", "))")
        }
        body(&self, members)
    }

    mutating func bool(_ json: JSONValue?, at path: String) -> Bool? {
        guard let json else { return nil }
        if case .bool(let value) = json { return value }
        problem(path, "is \(json.kind), not true or false")
        return nil
    }

    /// Values by names that are somebody else's.
    mutating func map<Value>(
        _ json: JSONValue?, at path: String, _ element: (inout ConfigReader, JSONValue, String) -> Value?
    ) -> [String: Value]? {
        guard let json else { return nil }
        guard case .object(let members) = json else {
            problem(path, "is \(json.kind), not an object")
            return nil
        }
        var result: [String: Value] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) { result[name] = element(&self, value, "\(path).\(name)") }
        return result
    }

    mutating func string(_ json: JSONValue?, at path: String) -> String? {
        guard let json else { return nil }
        if case .string(let text) = json { return text }
        problem(path, "is \(json.kind), not a string")
        return nil
    }

    mutating func integer(_ json: JSONValue?, at path: String, in range: ClosedRange<Int>) -> Int? {
        guard let json else { return nil }
        if case .integer(let number) = json, let value = Int(exactly: number), range.contains(value) { return value }
        problem(path, "is not an integer from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    mutating func parsed<Value>(
        _ json: JSONValue, at path: String, as wanted: String, _ parse: (String) -> Value?
    ) -> Value? {
        guard let text = string(json, at: path) else { return nil }
        if let value = parse(text) { return value }
        problem(path, "\"\(text)\" is not \(wanted)")
        return nil
    }

    mutating func list<Value>(
        _ json: JSONValue?, at path: String, _ element: (inout ConfigReader, JSONValue, String) -> Value?
    ) -> [Value]? {
        guard let json else { return nil }
        guard case .array(let values) = json else {
            problem(path, "is \(json.kind), not a list")
            return nil
        }
        var result: [Value] = []
        for (index, value) in values.enumerated() {
            if let value = element(&self, value, "\(path)[\(index)]") { result.append(value) }
        }
        return result
    }
}
