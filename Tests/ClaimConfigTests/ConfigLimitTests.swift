// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import Linux
import ResourceAPI
import Testbed
import Testing

/// The limits of configurations, which are equal in decoding, table, schema and `nearside validate --explain`.
struct ConfigLimitTests {
    private static func problems(_ json: JSONValue) -> [ConfigProblem] {
        do throws(InvalidConfig) { _ = try NetworkConfig(json) } catch { return error.problems }
        return []
    }

    private static func problems(_ text: String) -> [ConfigProblem] {
        do throws(InvalidConfig) { _ = try NetworkConfig(parameters: Array(text.utf8)) } catch { return error.problems }
        return []
    }

    /// A configuration with this value in one field.
    private static func config(_ path: String, _ value: JSONValue) -> JSONValue {
        var value = value
        for name in path.split(separator: ".").reversed() {
            value = .object([String(name.prefix { $0 != "[" }): name.hasSuffix("[]") ? .array([value]) : value])
        }
        guard path.hasPrefix("interface.subInterface."), !path.hasSuffix("type"), case .object(var members) = value,
            case .object(var interface) = members["interface"], case .object(var child) = interface["subInterface"]
        else { return value }
        child["type"] = .string("vlan")
        interface["subInterface"] = .object(child)
        members["interface"] = .object(interface)
        return .object(members)
    }

    /// The problems with a value of a field. Only a route with a gateway can have onLink.
    private static func codes(_ path: String, _ value: JSONValue) -> [ConfigProblem.Code] {
        let place = path.replacing("[]", with: "[0]")
        var config = config(path, value)
        if path == "routes[].onLink" {
            config = .object(["routes": .array([.object(["onLink": value, "gateway": .string("10.0.0.1")])])])
        }
        return problems(config).filter { $0.path == place }.map(\.code)
    }

    @Test(arguments: ConfigField.all)
    func `every field accepts the value at its limit, and refuses the next one`(field: ConfigField) {
        func accepts(_ value: JSONValue) -> Bool { Self.codes(field.path, value).isEmpty }
        func isWithin(_ value: JSONValue) -> Bool { !Self.codes(field.path, value).contains(.tooLong) }
        switch field.kind {
        case .object:
            let path = field.path.replacing("[]", with: "[0]")
            #expect(Self.problems(Self.config(field.path, .null)).contains { $0.path == path && $0.code == .wrongType })
        case .boolean: #expect(accepts(.bool(true)) && accepts(.bool(false)) && !accepts(.integer(1)) && !accepts(.string("true")))
        case .integer(let range):
            #expect(accepts(.integer(Int64(range.lowerBound))) && accepts(.integer(Int64(range.upperBound))))
            #expect(!accepts(.integer(Int64(range.lowerBound) - 1)) && !accepts(.integer(Int64(range.upperBound) + 1)))
            #expect(!accepts(.number(1e99)) && !accepts(.string("1")))
        case .numbers(let values):
            for value in -1...Int64(300) { #expect(accepts(.integer(value)) == values.contains(Int(value)), "\(value)") }
        case .words: #expect(!accepts(.string("x")) && !accepts(.integer(1)))
        case .string(let bytes):
            #expect(isWithin(.string(String(repeating: "a", count: bytes))))
            #expect(!isWithin(.string(String(repeating: "a", count: bytes + 1))))
            #expect(!accepts(.integer(1)))
        case .list(let count):
            #expect(isWithin(.array(Array(repeating: .null, count: count))))
            #expect(!isWithin(.array(Array(repeating: .null, count: count + 1))) && !accepts(.object([:])))
        case .map(let count):
            func map(_ count: Int) -> JSONValue {
                .object(Dictionary((0..<count).map { ("n\($0)", .null) }, uniquingKeysWith: { first, _ in first }))
            }
            #expect(isWithin(map(count)) && !isWithin(map(count + 1)) && !accepts(.array([])))
            #expect(!Self.codes("\(field.path).\(String(repeating: "n", count: 65))", .bool(true)).isEmpty)
        }
    }

    @Test
    func `a configuration with lists of the maximum length is accepted`() {
        let addresses = (0..<ConfigLimits.addresses).map { #""10.0.0.\#($0)/24""# }
        let routes = (0..<ConfigLimits.routes).map { #"{"destination":"10.\#($0).0.0/16","scope":253}"# }
        let rules = (0..<ConfigLimits.rules).map { #"{"source":"10.\#($0).0.0/16","table":5}"# }
        #expect(Self.problems(#"{"interface":{"addresses":[\#(addresses.joined(separator: ","))]}}"#) == [])
        #expect(Self.problems(#"{"routes":[\#(routes.joined(separator: ","))],"rules":[\#(rules.joined(separator: ","))]}"#) == [])
        let neighbors =
            (0..<ConfigLimits.neighbors).map {
                .object([
                    "destination": .string("fe80::\(String($0, radix: 16))"),
                    "hardwareAddr": .string("02:00:00:00:00:01"),
                ])
            } as [JSONValue]
        #expect(Self.problems(.object(["neighbors": .array(neighbors)])) == [])
    }

    @Test
    func `500 addresses are refused with one sentence`() {
        let text = #"{"interface":{"addresses":[\#(Array(repeating: #""a::1/64""#, count: 500).joined(separator: ","))]}}"#
        #expect(Self.problems(text).map(\.description) == ["interface.addresses: has 500 elements; the limit is 32"])
    }

    @Test
    func `parameters are read up to 10 KiB and 8 levels`() {
        func text(_ count: Int) -> String { "{" + String(repeating: " ", count: count - 2) + "}" }
        #expect(Self.problems(text(10 << 10)) == [])
        #expect(Self.problems(text(10 << 10 + 1)).map(\.code) == [.malformed])
        let deep = String(repeating: "[", count: 9) + String(repeating: "]", count: 9)
        #expect(Self.problems(deep).map(\.code) == [.malformed])
        #expect(Self.problems(String(deep.dropFirst().dropLast())).map(\.code) == [.wrongType])
    }

    // MARK: Names

    @Test(arguments: ["net1", "eth1", "rdma", "rdma-", "a", "0a", "averylongname15"])
    func `a name of lower-case letters, digits and dashes is accepted for an interface and a VRF`(name: String) {
        #expect(Self.problems(#"{"interface":{"name":"\#(name)"}}"#) == [])
        #expect(Self.problems(#"{"interface":{"vrf":{"name":"\#(name)"}}}"#) == [])
    }

    @Test(arguments: [
        "", "x%d", "%d", "-r", "lo", "all", "default", "eth0", ".", "..", "a.b", "a_b", "Net1", "a/b", "a:b", "a b", "a\u{a0}", "ä", "7",
        "averylongname016", #"a\u0000"#, #"a\n"#,
    ])
    func `a name with another meaning to the kernel or to a tool is refused`(name: String) {
        #expect(Self.problems(#"{"interface":{"name":"\#(name)"}}"#).map(\.path) == ["interface.name"])
        #expect(Self.problems(#"{"interface":{"vrf":{"name":"\#(name)"}}}"#).map(\.path) == ["interface.vrf.name"])
    }

    @Test
    func `a name from the host is kept unless the kernel would interpret it`() {
        for name in ["enP1p1s0f0np0", "ib_0", "eth0.100"] { #expect(InterfaceNames.isUsable(name), "\(name)") }
        for name in ["x%d", "-r", "lo", "eth0", "all", "default", ".", "", "a/b", "a\u{a0}", "averylongname016"] {
            #expect(!InterfaceNames.isUsable(name), "\(name)")
        }
    }

    @Test(arguments: [
        (#"{"ipv4.rp_filter":2}"#, true), (#"{"ipv6.use_tempaddr":"-1"}"#, true), (#"{"ipv4.neigh.gc_stale_time":60}"#, true),
        (#"{"ipv4.arp_filter":true}"#, true), (#"{"ipv4.rp_filter":3}"#, false), (#"{"ipv4.rp_filter":"1 "}"#, false),
        (#"{"ipv4.rp_filter":"1\n"}"#, false), (#"{"ipv4.made_up":1}"#, false), (#"{"ipv4.conf.all.forwarding":1}"#, false),
        (#"{"ipv4.neigh.rp_filter":1}"#, false), (#"{"ipv4.conf/../../x":1}"#, false), (#"{"ipv4.forwarding":1}"#, false),
        (#"{"ipv6.neigh.gc_stale_time":1e999}"#, false), (#"{"ipv6.stable_secret":"::1"}"#, false),
    ])
    func `a sysctl is accepted with a known name and a value in its range`(sysctls: String, isRight: Bool) {
        let problems = Self.problems(#"{"interface":{"sysctls":\#(sysctls)}}"#)
        #expect(problems.isEmpty == isRight, "\(problems)")
    }

    // MARK: Errors

    @Test
    func `a foreign text is printed on one line from left to right`() {
        #expect(ProblemText.quoted("a\nb\u{202e}c\u{2028}d\u{85}e\u{200b}f\u{1b}[2J") == "\"a b c d e f [2J\"")
    }

    @Test
    func `errors list at most 20 problems in 2 KiB, and the number of the others`() throws {
        let fields = (0..<1100).map { #""f\#($0)":0"# }.joined(separator: ",")
        let error = #expect(throws: InvalidConfig.self) { try NetworkConfig(parameters: Array("{\(fields)}".utf8)) }
        let text = error?.description ?? ""
        #expect(error?.code == .unknownField && error?.problems.count == 100 && error?.omitted == 1000)
        #expect(text.hasPrefix("f0: ") && text.utf8.count <= ProblemText.bytes + 32, "\(text)")
        let told = (error?.problems ?? []).count { text.contains("\($0)") }
        #expect(text.hasSuffix("; and \(1100 - told) more"), "\(text.suffix(40))")
        let short = ProblemText.joined((0..<25).map { "p\($0)" })
        #expect(short.hasPrefix("p0; p1; ") && short.hasSuffix("p19; and 5 more"))
        #expect(ProblemText.joined(["a", "b"]) == "a; b" && ProblemText.joined(["a"], omitted: 3) == "a; and 3 more")
        let long = #expect(throws: InvalidConfig.self) {
            try NetworkConfig(.object([String(repeating: "ä\n", count: 5000): .null, "interface": .string("x")]))
        }
        #expect((long?.description.utf8.count ?? .max) < 1000 && long?.description.contains("\n") == false)
    }

    // MARK: Agreement

    private static let schema = Result { try JSONValue(parsing: Files.read("\(Place.project)/api/networkconfig.schema.json")) }

    /// The schema's fields in the form of the table, and the marked ones.
    private func collect(
        _ schema: JSONValue, _ path: String, _ kinds: inout [String: ConfigField.Kind], _ marked: inout [String: String]
    ) throws {
        func number(_ name: String) -> Int? { if case .integer(let value)? = schema[name] { Int(value) } else { nil } }
        var type = ""
        if case .string(let text)? = schema["type"] { type = text }
        for mark in ["x-nearside-privileged", "x-nearside-class-only"] where schema[mark] == .bool(true) { marked[path] = mark }
        if case .array(let values)? = schema["enum"] {
            let words = values.compactMap { if case .string(let word) = $0 { word } else { nil } }
            let numbers = values.compactMap { if case .integer(let number) = $0 { Int(number) } else { nil } }
            kinds[path] = words.isEmpty ? .numbers(numbers) : .words(words)
        } else if case .string(let word)? = schema["const"] {
            kinds[path] = .words([word])
        } else {
            switch type {
            case "boolean": kinds[path] = .boolean
            case "integer": kinds[path] = .integer(try #require(number("minimum"), "\(path)")...(try #require(number("maximum"))))
            case "string": kinds[path] = .string(try #require(number("maxLength"), "\(path)"))
            case "array": kinds[path] = .list(try #require(number("maxItems"), "\(path)"))
            case "object": kinds[path] = try schema["properties"] == nil ? .map(#require(number("maxProperties"), "\(path)")) : .object
            default: Issue.record("\(path) has no type")
            }
        }
        if let items = schema["items"] { try collect(items, "\(path)[]", &kinds, &marked) }
        if case .object(let properties)? = schema["properties"] {
            #expect(schema["additionalProperties"] == .bool(false), "\(path)")
            for (name, property) in properties { try collect(property, path.isEmpty ? name : "\(path).\(name)", &kinds, &marked) }
        }
    }

    @Test
    func `table and schema have equal fields, types, limits and privileges`() throws {
        var kinds: [String: ConfigField.Kind] = [:]
        var marked: [String: String] = [:]
        try collect(try Self.schema.get(), "", &kinds, &marked)
        kinds[""] = nil
        let table = Dictionary(ConfigField.all.map { ($0.path, $0.kind) }, uniquingKeysWith: { first, _ in first })
        #expect(Set(kinds.keys).symmetricDifference(table.keys) == [])
        for (path, kind) in table { #expect(kinds[path] == kind, "\(path)") }
        #expect(table.count == ConfigField.all.count, "no duplicate field")
        let privileged = ConfigField.all.filter { $0.privilege != nil }.map { ($0.path, "x-nearside-privileged") }
        let forClasses = ConfigField.all.filter(\.isForClasses).map { ($0.path, "x-nearside-class-only") }
        #expect(marked == Dictionary(privileged + forClasses, uniquingKeysWith: { first, _ in first }))
        #expect(Set(PrivilegedSetting.all.map(\.path)).isSubset(of: table.keys))
        let name = try Self.schema.get()["properties"]?["interface"]?["properties"]?["name"]
        #expect(name?["pattern"] == .string(InterfaceNames.pattern))
    }

    @Test
    func `the program explains every field as in the table`() throws {
        let ended = try ChildProcess.run("\(Place.programs)/nearside", ["validate", "--explain"])
        #expect(ended.status == 0)
        let rows = ended.output.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1).map(String.init) }
        for field in ConfigField.all {
            let row = try #require(rows.first { $0.first == field.path }, "\(field.path)")
            #expect(row[1].contains("class") == (field.privilege != nil || field.isForClasses), "\(row)")
        }
        for name in Sysctls.settings.keys { #expect(rows.contains { $0.first == name }, "\(name)") }
    }
}
