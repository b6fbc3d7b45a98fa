// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import FoundationEssentials
import Inspection
import ResourceAPI
import Testbed
import Testing

struct JSONReaderTests {
    @Test(arguments: [
        ("null", JSONValue.null), (" true ", .bool(true)), ("-0", .integer(0)), ("9223372036854775807", .integer(.max)),
        ("9223372036854775808", .unsigned(9_223_372_036_854_775_808)), ("18446744073709551615", .unsigned(.max)),
        ("18446744073709551616", .number(18_446_744_073_709_551_616)), ("1.5e2", .number(150)), (#""""#, .string("")),
        (#""a\"\\\/\b\f\n\r\tä\u00e4\ud83d\ude00""#, .string("a\"\\/\u{8}\u{c}\n\r\tää😀")), ("[ ]", .array([])),
        ("{\"a\" : [1,\n{}]}", .object(["a": .array([.integer(1), .object([:])])])), (#"{"":null}"#, .object(["": .null])),
    ])
    func `JSON is read according to RFC 8259`(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text.utf8) == value)
    }

    @Test(arguments: [
        (
            [
                "", " ", "nul", "+1", "01", "1.", ".5", "1e", "1e+", "-", "--1", "NaN", "\"", #""\""#, #""\x""#, #""\u12""#, #""\u+123""#,
                "\"\n\"", "[1,]", "[,1]", "[1 2]", "[1", "]", #"{"a"}"#, #"{"a":}"#, "'a'", "// x",
            ], JSONError.Code.syntax
        ),
        (["{", #"{"a":1,}"#, #"{a:1}"#], .wrongType), (["nullx", "0x1", "1 2", "[1]]"], .trailingText), (["1e999"], .outOfRange),
        ([#""\ud800""#, #""\ud800\u0041""#, #""\udc00""#], .notUnicode), ([#"{"a":1,"a":1}"#], .duplicateKey),
    ])
    func `invalid JSON is refused with its position`(texts: [String], code: JSONError.Code) {
        for text in texts {
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text.utf8) }
            #expect(error?.code == code, "\(text): \(error?.description ?? "")")
            #expect((0...text.utf8.count).contains(error?.offset ?? -1), "\(error?.description ?? "")")
        }
    }

    @Test
    func `bytes that are not UTF-8 are refused`() {
        for bytes: [UInt8] in [[0x22, 0xff, 0x22], [0x22, 0xc3, 0x22], [0x22, 0x5c, 0x6e, 0xed, 0xa0, 0x80, 0x22]] {
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
            #expect(error?.code == .notUnicode)
        }
    }

    @Test
    func `a text that is too long, too deep or has too many values is refused`() throws {
        let limits = JSONLimits(bytes: 32, depth: 3, values: 6)
        #expect(try JSONValue(parsing: "[[[1,2]],3]".utf8, limits: limits) != .null)
        let cases: [(String, JSONError.Code)] = [
            ("[[[[]]]]", .tooDeep), ("[1,2,3,4,5,6,7]", .tooManyValues), ("\"" + String(repeating: "a", count: 31) + "\"", .tooLarge),
        ]
        for (text, code) in cases {
            let error = #expect(throws: JSONError.self, "\(text)") { try JSONValue(parsing: text.utf8, limits: limits) }
            #expect(error?.code == code)
        }
    }

    @Test
    func `written text is read as the same value, here and by Foundation`() throws {
        var generator = SplitMix(seed: 17)
        func value(_ depth: Int) -> JSONValue {
            switch Int.random(in: 0..<(depth > 4 ? 5 : 7), using: &generator) {
            case 0: .null
            case 1: .bool(Bool.random(using: &generator))
            case 2: .integer(Int64.random(in: .min ... .max, using: &generator))
            case 3: .number(Double.random(in: -1e300...1e300, using: &generator))
            case 4: .string(["", "a\"b\\", "\u{0}\u{1f}\u{7f}", "ä😀", "\r\n"].randomElement(using: &generator) ?? "")
            case 5: .array((0..<Int.random(in: 0..<4, using: &generator)).map { _ in value(depth + 1) })
            default: .object(Dictionary((0..<3).map { ("k\($0)\"", value(depth + 1)) }, uniquingKeysWith: { first, _ in first }))
            }
        }
        for _ in 0..<300 {
            let value = value(0)
            #expect(try JSONValue(parsing: value.text) == value)
            #expect(try JSONValue(parsing: JSONEncoder().encode([value])) == .array([value]))
        }
    }

    // MARK: Claims

    /// A claim with parameters of another driver in its spec and in its allocation, and data of another in its status.
    private func claim(_ text: String) -> [UInt8] {
        Array(
            #"""
            {"kind":"ResourceClaim","metadata":{"name":"c","namespace":"ns","uid":"u","managedFields":[\#(text)],"annotations":null},
             "spec":{"devices":{"config":[{"opaque":{"driver":"other.example.com","parameters":\#(text)}}]}},
             "status":{"allocation":{"devices":{"results":[{"request":"nic","driver":"d","pool":"p","device":"x","adminAccess":null}],
              "config":[{"source":"FromClaim","requests":null,"opaque":{"driver":"other.example.com","parameters":\#(text)}},
               {"source":"FromClass","opaque":{"parameters":{"interface":{"mtu":1500}},"driver":"dra.nearside"}}]}},
              "devices":[{"driver":"other.example.com","pool":"p","device":"y","data":\#(text)}],
              "reservedFor":[{"resource":"pods","name":"p","uid":"pu"}]}}
            """#.utf8)
    }

    @Test(arguments: HostileJSON.all)
    func `a claim with any content of others is read, and foreign parameters stay unchanged`(text: String) throws {
        let claim = try ResourceClaim(json: claim(text))
        #expect(claim.metadata.uid == "u" && claim.status?.reservedFor?.map(\.uid) == ["pu"])
        #expect(claim.status?.allocation?.devices.results?.map(\.device) == ["x"] && claim.status?.devices?.map(\.device) == ["y"])
        let configs = claim.status?.allocation?.devices.config ?? []
        #expect(configs.map(\.source) == [.fromClaim, .fromClass])
        #expect(configs[0].opaque == OpaqueConfig(driver: "other.example.com", parameters: Array(text.utf8)))
        #expect(try NetworkConfig(parameters: configs[1].opaque?.parameters ?? []).interface.mtu == 1500)
        // As parameters of this driver they are refused, or are not a configuration.
        let error = #expect(throws: InvalidConfig.self) { try NetworkConfig(parameters: Array(text.utf8)) }
        #expect((error?.description.utf8.count ?? .max) < 4096)
    }

    @Test
    func `the largest claim of the API, full of nested JSON, is read in less than two seconds`() throws {
        let configs = Array(
            repeating: #"{"source":"FromClaim","opaque":{"driver":"dra.nearside","parameters":\#(HostileJSON.leavesAtTheBottom)}}"#,
            count: 250)
        let text = #"{"metadata":{},"status":{"allocation":{"devices":{"config":[\#(configs.joined(separator: ","))]}}}}"#
        let start = ContinuousClock.now
        let claim = try ResourceClaim(json: Array(text.utf8))
        #expect(claim.status?.allocation?.devices.config?.count == 250)
        for config in claim.status?.allocation?.devices.config ?? [] {
            #expect(throws: InvalidConfig.self) { try NetworkConfig(parameters: config.opaque?.parameters ?? []) }
        }
        // A hundred times what it takes; with a decoder that guesses it is more than an hour.
        #expect(ContinuousClock.now - start < .seconds(2))
        let error = #expect(throws: JSONError.self) {
            try ResourceClaim(json: Array("{\"a\":\"\(String(repeating: "a", count: 3 << 20))\"}".utf8))
        }
        #expect(error?.code == .tooLarge)
    }

    @Test(arguments: [
        ("[]", JSONError.Code.wrongType), ("{", .wrongType), (#"{"metadata":[]}"#, .wrongType),
        (#"{"status":{"allocation":{"devices":{"results":{}}}}}"#, .wrongType), (#"{"metadata":{"uid":1}}"#, .wrongType),
        (#"{"spec":[}}"#, .syntax), (#"{"metadata":{}} x"#, .trailingText),
    ])
    func `a text that is not a claim is refused with its position`(text: String, code: JSONError.Code) {
        let error = #expect(throws: JSONError.self) { try ResourceClaim(json: Array(text.utf8)) }
        #expect(error?.code == code, "\(error?.description ?? "")")
    }

    @Test
    func `a written claim is read as the same claim`() throws {
        var claim = ResourceClaim(
            metadata: Metadata(
                name: "c", namespace: "ns", uid: "u",
                ownerReferences: [OwnerReference(apiVersion: "v1", kind: "Pod", name: "p", uid: "pu")]),
            status: ResourceClaimStatus(
                allocation: AllocationResult(
                    devices: DeviceAllocation(
                        results: [AllocatedDevice(request: "a/b", driver: "d", pool: "p", device: "x", shareID: "s")],
                        config: [
                            AllocationConfig(
                                source: .fromClass, requests: ["a"],
                                opaque: OpaqueConfig(driver: "d", parameters: .object(["x": .array([.null, .number(1.5)])])))
                        ])), reservedFor: [ConsumerReference(resource: "pods", name: "p", uid: "pu")]))
        claim.metadata.annotations = ["resource.kubernetes.io/pod-claim-name": "net"]
        let condition = Condition(type: "Ready", status: "True", reason: "R", message: "m", lastTransitionTime: "t")
        claim.status?.devices = [
            AllocatedDeviceStatus(
                driver: "d", pool: "p", device: "x", shareID: "s", conditions: [condition],
                networkData: NetworkDeviceData(interfaceName: "net1", ips: ["10.0.0.1/24"], hardwareAddress: "02:00:00:00:00:01"))
        ]
        #expect(try ResourceClaim(json: Array(JSONEncoder().encode(claim))) == claim)
    }

    @Test
    func `the pod's name of a claim is used only if a pod controls the claim and the name is a DNS label`() {
        let pod = OwnerReference(apiVersion: "v1", kind: "Pod", name: "p", uid: "pu")
        func name(_ text: String, _ owner: OwnerReference?) -> String? {
            var claim = ResourceClaim(metadata: Metadata(name: "c", ownerReferences: owner.map { [$0] }))
            claim.metadata.annotations = ["resource.kubernetes.io/pod-claim-name": text]
            return claim.podClaimName
        }
        #expect(name("net", pod) == "net" && name("net", nil) == nil)
        #expect(name("net", OwnerReference(apiVersion: "v1", kind: "Pod", name: "p", uid: "pu", controller: false)) == nil)
        #expect(name("net", OwnerReference(apiVersion: "apps/v1", kind: "Deployment", name: "p", uid: "pu")) == nil)
        for text in ["../../../usr/local/lib", "a/b", "..", "", "A", "-a", "a.b", String(repeating: "a", count: 64)] {
            #expect(name(text, pod) == nil, "\(text)")
        }
    }
}
