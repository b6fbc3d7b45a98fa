// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// A problem of a configuration: its path, and the valid value.
package struct ConfigProblem: Hashable, Sendable, CustomStringConvertible {
    /// The kind of a problem.
    package enum Code: String, Hashable, Sendable {
        /// The parameters are not JSON, or exceed a limit of their text.
        case malformed
        case unknownField, missing, wrongType
        /// A list, a map or a text is too long.
        case tooLong
        case invalidValue
        /// Two settings exclude each other.
        case conflict
        /// Only a DeviceClass can have the setting, or it pins the field.
        case reserved
    }

    package var code: Code
    /// JSON path: `interface.addresses[1]`.
    package var path: String
    package var text: String

    package init(_ code: Code, _ path: String, _ text: String) {
        self.code = code
        self.path = path
        self.text = text
    }

    /// Returns the problem with a path that begins at the outer document.
    package func within(_ prefix: String) -> ConfigProblem { ConfigProblem(code, prefix + path, text) }

    package var description: String { "\(path): \(text)" }
}

/// All problems of a configuration.
package struct InvalidConfig: Error, Hashable, Sendable, CustomStringConvertible {
    package var problems: [ConfigProblem]
    /// The code of the first problem.
    package var code: ConfigProblem.Code { problems.first?.code ?? .malformed }
    /// The number of further problems.
    package var omitted: Int

    package init(problems: [ConfigProblem], omitted: Int = 0) {
        self.problems = problems
        self.omitted = omitted
    }

    package var description: String { ProblemText.joined(problems.map(\.description), omitted: omitted) }
}

/// Reads JSON field by field, and collects problems up to a limit.
struct ConfigReader {
    private(set) var problems: [ConfigProblem] = []
    private(set) var omitted = 0

    private static let most = 100

    mutating func problem(_ path: String, _ text: @autoclosure () -> String, _ code: ConfigProblem.Code = .invalidValue) {
        guard problems.count < Self.most else { return omitted += 1 }
        problems.append(ConfigProblem(code, ProblemText.cut(path, to: 160), ProblemText.cut(text(), to: ProblemText.problemBytes)))
    }

    mutating func object(
        _ json: JSONValue, at path: String, fields: [String],
        _ body: (inout ConfigReader, [String: JSONValue]) -> Void
    ) {
        guard case .object(let members) = json else {
            return problem(path.isEmpty ? "parameters" : path, "is \(json.kind), not an object", .wrongType)
        }
        for name in members.keys.sorted() where !fields.contains(name) {
            problem(
                path.isEmpty ? name : "\(path).\(name)",
                "is not a known field; fields are \(fields.joined(separator: ", "))", .unknownField)
        }
        body(&self, members)
    }

    mutating func bool(_ json: JSONValue?, at path: String) -> Bool? {
        guard let json else { return nil }
        if case .bool(let value) = json { return value }
        problem(path, "is \(json.kind), not true or false", .wrongType)
        return nil
    }

    /// Reads a map whose keys other projects define.
    ///
    /// - Parameters:
    ///   - most: the limit of entries.
    ///   - bytes: the limit of a name, which is printable ASCII.
    mutating func map<Value>(
        _ json: JSONValue?, at path: String, most: Int, bytes: Int, _ element: (inout ConfigReader, JSONValue, String) -> Value?
    ) -> [String: Value]? {
        guard let json else { return nil }
        guard case .object(let members) = json else {
            problem(path, "is \(json.kind), not an object", .wrongType)
            return nil
        }
        guard members.count <= most else {
            problem(path, "has \(members.count) entries; the limit is \(most)", .tooLong)
            return nil
        }
        var result: [String: Value] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            let path = "\(path).\(name)"
            if (1...bytes).contains(name.utf8.count), name.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) {
                result[name] = element(&self, value, path)
            } else {
                problem(path, "a name must have 1 to \(bytes) printable ASCII characters")
            }
        }
        return result
    }

    mutating func string(_ json: JSONValue?, at path: String, bytes: Int) -> String? {
        guard let json else { return nil }
        guard case .string(let text) = json else {
            problem(path, "is \(json.kind), not a string", .wrongType)
            return nil
        }
        if text.utf8.count <= bytes { return text }
        problem(path, "has \(text.utf8.count) bytes; the limit is \(bytes)", .tooLong)
        return nil
    }

    mutating func integer(_ json: JSONValue?, at path: String, in range: ClosedRange<Int>) -> Int? {
        guard let json else { return nil }
        if case .integer(let number) = json, let value = Int(exactly: number), range.contains(value) { return value }
        problem(path, "is not an integer from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    mutating func integer(_ json: JSONValue?, at path: String, of values: [Int]) -> Int? {
        guard let json else { return nil }
        if case .integer(let number) = json, let value = Int(exactly: number), values.contains(value) { return value }
        problem(path, "is not one of \(values.map(String.init).joined(separator: ", "))")
        return nil
    }

    mutating func parsed<Value>(
        _ json: JSONValue, at path: String, bytes: Int = ConfigLimits.addressBytes, as wanted: String, _ parse: (String) -> Value?
    ) -> Value? {
        guard let text = string(json, at: path, bytes: bytes) else { return nil }
        if let value = parse(text) { return value }
        problem(path, "\(ProblemText.quoted(text)) is not \(wanted)")
        return nil
    }

    mutating func list<Value>(
        _ json: JSONValue?, at path: String, most: Int, _ element: (inout ConfigReader, JSONValue, String) -> Value?
    ) -> [Value]? {
        guard let json else { return nil }
        guard case .array(let values) = json else {
            problem(path, "is \(json.kind), not a list", .wrongType)
            return nil
        }
        guard values.count <= most else {
            problem(path, "has \(values.count) elements; the limit is \(most)", .tooLong)
            return nil
        }
        var result: [Value] = []
        for (index, value) in values.enumerated() {
            if let value = element(&self, value, "\(path)[\(index)]") { result.append(value) }
        }
        return result
    }
}
