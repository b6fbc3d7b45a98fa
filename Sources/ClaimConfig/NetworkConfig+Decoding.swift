// SPDX-License-Identifier: Apache-2.0

import Addressing
package import ResourceAPI

extension NetworkConfig {
    package static let apiVersion = "nearside/v1alpha1"
    package static let kind = "NetworkConfig"

    /// Longest name the kernel takes: IFNAMSIZ is 16 with its final zero (linux/if.h).
    private static let nameBytes = 15

    /// Decodes strictly: an unknown field is a problem, and all problems are collected.
    ///
    /// Both our own versioned kind and DRANET's unversioned form are taken; they differ only in
    /// `apiVersion` and `kind`.
    package init(_ json: JSONValue) throws(InvalidConfig) {
        self.init()
        var reader = ConfigReader()
        reader.object(json, at: "", fields: ["apiVersion", "kind", "interface", "routes"]) { reader, root in
            if let version = reader.string(root["apiVersion"], at: "apiVersion"), version != Self.apiVersion {
                reader.problem("apiVersion", "\"\(version)\" is not known; use \(Self.apiVersion)")
            }
            if let kind = reader.string(root["kind"], at: "kind"), kind != Self.kind {
                reader.problem("kind", "\"\(kind)\" is not known; use \(Self.kind)")
            }
            readInterface(root["interface"], &reader)
            routes = reader.list(root["routes"], at: "routes") { reader, value, path in
                Self.route(value, at: path, &reader)
            }
        }
        if !reader.problems.isEmpty { throw InvalidConfig(problems: reader.problems) }
    }

    private mutating func readInterface(_ json: JSONValue?, _ reader: inout ConfigReader) {
        guard let json else { return }
        let fields = ["name", "addresses", "mtu", "hardwareAddr"]
        reader.object(json, at: "interface", fields: fields) { reader, interface in
            name = reader.string(interface["name"], at: "interface.name")
            if let name, !Self.isInterfaceName(name) {
                reader.problem(
                    "interface.name",
                    "\"\(name)\" is no interface name: 1 to \(Self.nameBytes) bytes, without / : and blanks")
            }
            addresses = reader.list(interface["addresses"], at: "interface.addresses") { reader, value, path in
                reader.parsed(value, at: path, as: "an address with a prefix length such as 10.0.0.5/24") {
                    IPPrefix(parsing: $0)
                }
            }
            mtu = reader.integer(interface["mtu"], at: "interface.mtu", in: 68...65535)
            hardwareAddress = interface["hardwareAddr"].flatMap { value in
                reader.parsed(value, at: "interface.hardwareAddr", as: "an address such as 02:00:00:00:00:01") {
                    HardwareAddress(parsing: $0)
                }
            }
        }
    }

    private static func route(_ json: JSONValue, at path: String, _ reader: inout ConfigReader) -> RouteConfig? {
        var route: RouteConfig?
        let fields = ["destination", "gateway", "source", "scope"]
        reader.object(json, at: path, fields: fields) { reader, members in
            let destination = members["destination"].flatMap { value in
                reader.parsed(value, at: "\(path).destination", as: "a network such as 10.1.0.0/16") {
                    IPPrefix(parsing: $0)
                }
            }
            let gateway = members["gateway"].flatMap { value in
                reader.parsed(value, at: "\(path).gateway", as: "an IP address") { IPAddress(parsing: $0) }
            }
            let source = members["source"].flatMap { value in
                reader.parsed(value, at: "\(path).source", as: "an IP address") { IPAddress(parsing: $0) }
            }
            // 0 is universe, 253 is link (linux/rtnetlink.h, enum rt_scope_t).
            let scope = reader.integer(members["scope"], at: "\(path).scope", in: 0...253) ?? 0
            if scope != 0, scope != 253 { reader.problem("\(path).scope", "is 0 (universe) or 253 (link)") }
            guard let destination else {
                if members["destination"] == nil { reader.problem("\(path).destination", "is missing") }
                return
            }
            if !destination.isNetwork {
                reader.problem("\(path).destination", "\(destination) has bits set behind its prefix length")
            }
            if gateway == nil, members["gateway"] == nil, scope != 253 {
                reader.problem("\(path).gateway", "is missing; a route on the link itself has scope 253")
            }
            for (name, address) in [("gateway", gateway), ("source", source)] {
                if let address, address.isV6 != destination.address.isV6 {
                    reader.problem("\(path).\(name)", "\(address) is of another family than \(destination)")
                }
            }
            route = RouteConfig(destination: destination, gateway: gateway, source: source)
        }
        return route
    }

    /// The kernel's rule (dev_valid_name in net/core/dev.c).
    package static func isInterfaceName(_ name: String) -> Bool {
        (1...nameBytes).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
    }
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
