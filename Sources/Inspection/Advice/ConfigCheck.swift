// SPDX-License-Identifier: Apache-2.0

package import ClaimConfig
import ResourceAPI

/// What is wrong with the configurations in a file, before a cluster sees it: a claim, a template, a class, a list of them,
/// or a configuration alone.
package struct ConfigCheck: Hashable, Sendable {
    /// All that is wrong, with the whole path in the file.
    package private(set) var problems: [ConfigProblem] = []
    /// How many configurations of this driver there were.
    package private(set) var count = 0

    /// A file that is no JSON of any use: why.
    package struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    package init(_ bytes: [UInt8], driver: String) throws(Unreadable) {
        // Several objects, one after the other, are what kubectl prints.
        let objects = Self.objects(bytes)
        for (index, bytes) in objects.enumerated() {
            let json: JSONValue
            do throws(JSONError) { json = try JSONValue(parsing: bytes) } catch {
                throw Unreadable(description: "is no JSON: \(error)")
            }
            try check(json, at: objects.count > 1 ? "object \(index): " : "", driver)
        }
    }

    /// Cut where a line ends one object and the next begins another.
    private static func objects(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        let border = Array("\n}\n{".utf8)
        var objects: [ArraySlice<UInt8>] = []
        var start = 0
        var index = 0
        while index + border.count <= bytes.count {
            if bytes[index] == border[0], bytes[index..<index + border.count].elementsEqual(border) {
                objects.append(bytes[start...index + 1])
                start = index + 3
                index = start
            } else {
                index += 1
            }
        }
        return objects + [bytes[start...]]
    }

    private mutating func check(_ json: JSONValue, at path: String, _ driver: String) throws(Unreadable) {
        guard case .object = json else { throw Unreadable(description: "\(path.isEmpty ? "it" : path) is \(json.kind), not an object") }
        var kind = ""
        if case .string(let text)? = json["kind"] { kind = text }
        switch kind {
        case "ResourceClaim", "DeviceClass":
            read(
                json["spec"]?[kind == "DeviceClass" ? "config" : "devices"],
                at: "\(path)spec.\(kind == "DeviceClass" ? "config" : "devices")", driver)
        case "ResourceClaimTemplate": read(json["spec"]?["spec"]?["devices"], at: "\(path)spec.spec.devices", driver)
        case "List":
            guard case .array(let items)? = json["items"] else { return }
            for (index, item) in items.enumerated() { try check(item, at: "\(path)items[\(index)].", driver) }
        case "", NetworkConfig.kind:
            note(json, at: path)
        default:
            // Whatever else lies in the file is not ours to judge.
            return
        }
    }

    /// `config` of a claim's devices, or of a class, which has it alone.
    private mutating func read(_ json: JSONValue?, at path: String, _ driver: String) {
        let list = json?["config"] ?? json
        guard case .array(let entries)? = list else { return }
        let prefix = json?["config"] == nil ? path : "\(path).config"
        for (index, entry) in entries.enumerated() {
            guard case .string(driver)? = entry["opaque"]?["driver"], let parameters = entry["opaque"]?["parameters"] else { continue }
            note(parameters, at: "\(prefix)[\(index)].opaque.parameters.")
        }
    }

    private mutating func note(_ parameters: JSONValue, at path: String) {
        count += 1
        do throws(InvalidConfig) { _ = try NetworkConfig(parameters) } catch {
            problems += error.problems.map { ConfigProblem(path + $0.path, $0.text) }
        }
    }
}
