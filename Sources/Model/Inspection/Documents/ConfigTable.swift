// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import ResourceAPI

/// The table of configuration fields that `nearside validate --explain` prints.
package enum ConfigTable {
    /// Returns the rows of the fields, with the columns field, type, limit, and author that may set it.
    package static func rows() -> [[String]] {
        ConfigField.all.map { [$0.path, $0.kind.name, $0.kind.limit, who($0)] }
    }

    /// Returns the rows of the sysctls of an interface, with the columns setting, values, and author that may set it.
    package static func sysctlRows() -> [[String]] {
        Sysctls.settings.sorted { $0.key < $1.key }.map { name, setting in
            [name, "\(setting.values.lowerBound) to \(setting.values.upperBound)", setting.isHarmless ? "claim" : "class"]
        }
    }

    package static var text: String {
        var fields = TextTable(["FIELD", "TYPE", "LIMIT", "WHO"])
        for row in rows() { fields.add(row) }
        var settings = TextTable(["SYSCTL", "VALUES", "WHO"])
        for row in sysctlRows() { settings.add(row) }
        let reasons = PrivilegedSetting.all.map { setting in
            "  \(setting.path)\(setting.values.map { " (\($0))" } ?? ""): \(setting.reason)\n"
        }
        return """
            \(fields.text)
            \(settings.text)
            WHO is "claim" if a claim and the DeviceClass of its request may set the
            field, and "class" where only the DeviceClass may. nearside-node with
            --allow-claims=FIELD,... lets claims set such a field, too.
            A DeviceClass can list fields and sections in "pinned"; claims may not set
            those. One configuration has at most \(ConfigLimits.text.bytes) bytes and \(ConfigLimits.text.depth) levels, all devices of a claim
            together at most \(ConfigLimits.entriesPerClaim) addresses, routes, rules, neighbours, settings and flags.

            Reasons why claims may not set a field:
            \(reasons.joined())
            """
    }

    private static func who(_ field: ConfigField) -> String {
        if field.isForClasses { return "class" }
        guard let privilege = field.privilege else { return "claim" }
        return privilege.values.map { "claim; \($0): class" } ?? "class"
    }
}

extension ConfigField.Kind {
    fileprivate var name: String {
        switch self {
        case .object: "object"
        case .boolean: "boolean"
        case .integer, .numbers: "integer"
        case .words, .string: "string"
        case .list: "list"
        case .map: "map"
        }
    }

    fileprivate var limit: String {
        switch self {
        case .object, .boolean: "-"
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .numbers(let values): values.map(String.init).joined(separator: ", ")
        case .words(let words): words.joined(separator: ", ")
        case .string(let bytes): "\(bytes) bytes"
        case .list(let count): "\(count) elements"
        case .map(let count): "\(count) entries"
        }
    }
}
