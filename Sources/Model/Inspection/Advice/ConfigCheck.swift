// SPDX-License-Identifier: Apache-2.0

package import ClaimConfig
package import Primitives
import ResourceAPI

/// Checks the configurations in a file before it is applied: a claim, a template, a class, a list of them, or a single configuration.
///
/// In claims and templates, settings that only a class may have are problems. In a single configuration, which may be for a claim or a
/// class, they are notes.
package struct ConfigCheck: Hashable, Sendable {
    /// The first problems, with the complete path in the file.
    package private(set) var problems: [ConfigProblem] = []
    /// The number of further problems.
    package private(set) var omitted = 0
    /// Number of configurations of this driver.
    package private(set) var count = 0
    /// Settings of a single configuration that only a class may have.
    package private(set) var notes: [ConfigProblem] = []

    private enum Role {
        case claim, deviceClass, unknown
    }

    private static let most = 200

    private let driver: String
    private let allowed: Set<String>

    /// - Parameter allowed: paths of privileged settings that claims may have.
    package init(_ bytes: [UInt8], driver: String, allowed: Set<String> = []) throws(InputError) {
        self.driver = driver
        self.allowed = allowed
        // kubectl can print several objects in sequence.
        var objects: [ArraySlice<UInt8>] = []
        do throws(JSONError) {
            var reader = try JSONReader(bytes, limits: .document)
            repeat { objects.append(try reader.skip()) } while !reader.isAtEnd()
        } catch { throw InputError(.malformed, "document", "not JSON: \(error)") }
        for (index, bytes) in objects.enumerated() { try check(bytes, at: objects.count > 1 ? "object \(index): " : "") }
    }

    // MARK: Objects

    /// Returns the members of an object without decoding them, because they may belong to another driver.
    private func members(_ bytes: ArraySlice<UInt8>?, at path: String) throws(InputError) -> [String: ArraySlice<UInt8>] {
        guard let bytes else { return [:] }
        var members: [String: ArraySlice<UInt8>] = [:]
        do throws(JSONError) {
            var reader = try JSONReader(Array(bytes), limits: .document)
            if reader.isNull() { return [:] }
            try reader.members { (reader, name) throws(JSONError) in members[name] = try reader.skip() }
        } catch { throw InputError(.malformed, "document", at: path.isEmpty ? nil : path, "\(error)") }
        return members
    }

    private func elements(_ bytes: ArraySlice<UInt8>?, at path: String) throws(InputError) -> [ArraySlice<UInt8>] {
        guard let bytes else { return [] }
        var elements: [ArraySlice<UInt8>] = []
        do throws(JSONError) {
            var reader = try JSONReader(Array(bytes), limits: .document)
            if reader.isNull() { return [] }
            try reader.elements { (reader) throws(JSONError) in elements.append(try reader.skip()) }
        } catch { throw InputError(.malformed, "document", at: path, "\(error)") }
        return elements
    }

    private func string(_ bytes: ArraySlice<UInt8>?) -> String? {
        guard let bytes, case .string(let text)? = try? JSONValue(parsing: bytes) else { return nil }
        return text
    }

    private mutating func check(_ bytes: ArraySlice<UInt8>, at path: String) throws(InputError) {
        let object = try members(bytes, at: path)
        switch string(object["kind"]) ?? "" {
        case "DeviceClass":
            let spec = try members(object["spec"], at: "\(path)spec")
            try read(spec["config"], at: "\(path)spec.config", .deviceClass)
        case "ResourceClaim":
            let spec = try members(object["spec"], at: "\(path)spec")
            let devices = try members(spec["devices"], at: "\(path)spec.devices")
            try read(devices["config"], at: "\(path)spec.devices.config", .claim)
        case "ResourceClaimTemplate":
            let spec = try members(try members(object["spec"], at: "\(path)spec")["spec"], at: "\(path)spec.spec")
            let devices = try members(spec["devices"], at: "\(path)spec.spec.devices")
            try read(devices["config"], at: "\(path)spec.spec.devices.config", .claim)
        case "List":
            for (index, item) in try elements(object["items"], at: "\(path)items").enumerated() {
                try check(item, at: "\(path)items[\(index)].")
            }
        case "", NetworkConfig.kind: judge(Array(bytes), at: path, .unknown)
        default:
            // Other objects in the file are ignored.
            return
        }
    }

    /// Checks the configurations of a claim's devices, or of a class.
    private mutating func read(_ bytes: ArraySlice<UInt8>?, at path: String, _ role: Role) throws(InputError) {
        for (index, entry) in try elements(bytes, at: path).enumerated() {
            let place = "\(path)[\(index)]"
            let opaque = try members(try members(entry, at: place)["opaque"], at: "\(place).opaque")
            guard string(opaque["driver"]) == driver, let parameters = opaque["parameters"] else { continue }
            judge(Array(parameters), at: "\(place).opaque.parameters.", role)
        }
    }

    private mutating func judge(_ parameters: [UInt8], at path: String, _ role: Role) {
        count += 1
        var found: [ConfigProblem] = []
        do throws(InvalidConfig) {
            let config = try NetworkConfig(parameters: parameters)
            switch role {
            case .claim: found = config.claimProblems(allowed: allowed)
            case .unknown: notes += config.claimProblems(allowed: allowed).map { $0.within(path) }
            case .deviceClass: break
            }
        } catch {
            found = error.problems
            omitted += error.omitted
        }
        let room = max(0, Self.most - problems.count)
        problems += found.prefix(room).map { $0.within(path) }
        omitted += max(0, found.count - room)
    }
}
