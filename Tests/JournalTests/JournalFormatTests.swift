// SPDX-License-Identifier: Apache-2.0

import Foundation
import Journal
import JournalModel
import Linux
import NetworkModel
import Testbed
import Testing

/// A journal with a plan, a state and a report with every field, as written by the previous release (version 1).
struct JournalSample {
    let scratch: ScratchFolder
    let node: JournalFolder
    let injector: JournalFolder
    static let claim = "0f1e2d3c-aaaa-bbbb-cccc-0123456789ab"
    static let pod = "9b1c7a52-0000-4000-8000-000000000001"

    init() throws {
        scratch = try ScratchFolder("jf", in: Files.exists("/dev/shm") ? "/dev/shm" : "/tmp")
        node = JournalFolder(scratch("journal"), states: scratch("states"), for: .node)
        injector = JournalFolder(scratch("journal"), states: scratch("states"), for: .injector)
        try node.make()
        try injector.make()
        for (name, file) in [("plan", planFile), ("state", stateFile), ("late", lateFile)] {
            try Files.write(file, try Self.golden(name))
        }
    }

    static func golden(_ name: String, version: Int = 1) throws -> String {
        let text = try Files.readText("\(Place.project)/Tests/JournalTests/Golden/\(name)-\(version).json")
        return text.replacing("\"BOOT\"", with: "\"\(Boot.current)\"")
    }

    var planFile: String { "\(node.plansFolder)/\(Self.claim).json" }
    var stateFile: String { "\(node.statesFolder)/\(Self.claim).json" }
    var lateFile: String { "\(node.latePodsFolder)/\(Self.pod).json" }

    /// With the fields that were added after version 1.
    func plan() throws -> ClaimPlan {
        var plan = try #require(try injector.plan(Self.claim))
        plan.containers = ContainerPlan(
            environment: ["A": "b"], hasTopology: true, describedRequests: ["nic"], podClaimName: "nic")
        plan.devices[0].access = DeviceAccess(
            address: "0000:0c:00.3", nodes: [NodePlan(path: "/dev/infiniband/uverbs0", major: 231, minor: 192)])
        plan.devices[0].interface?.parentDevice = "0000:0c:00.3"
        return plan
    }
    func state() throws -> ClaimState { try #require(try injector.state(Self.claim)) }

    /// All three as written by this version.
    func rewrite() throws {
        try node.write(try plan())
        try injector.write(try state())
        try injector.write(try #require(injector.latePods().pods.first))
    }
}

/// The format of plans, states and reports: written and accepted texts.
struct JournalFormatTests {
    /// The fields of a JSON object without those of the envelope.
    private func fields(_ text: String) throws -> NSDictionary {
        var object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        object["version"] = nil
        object["requires"] = nil
        return object as NSDictionary
    }

    @Test
    func `files of the previous release are read completely, and rewritten with their features`() throws {
        let sample = try JournalSample()
        let (old, state) = (try #require(try sample.injector.plan(JournalSample.claim)), try sample.state())
        try sample.node.write(old)
        #expect(try fields(Files.readText(sample.planFile)) == fields(JournalSample.golden("plan")))
        let plan = try sample.plan()
        try sample.rewrite()
        #expect(try Files.readText(sample.planFile).contains("\"version\":2"))
        for (name, file) in [("state", sample.stateFile), ("late", sample.lateFile)] {
            #expect(try fields(Files.readText(file)) == fields(JournalSample.golden(name)), "\(name)")
            #expect(try Files.readText(file).contains("\"version\":2"))
        }
        #expect(try sample.plan() == plan && sample.state() == state)
        let required =
            try #require(
                try JSONSerialization.jsonObject(with: Data(Files.read(sample.planFile))) as? [String: Any])["requires"] as? [String]
        #expect(required == plan.features.map(\.rawValue).sorted())
        // One of the two has every field of a plan or a state.
        var newest = state
        newest.attachments[0].host?.functions = [VirtualFunction(number: 1)]
        newest.attachments[0].host?.sysfs = SysfsSettings(entries: [.init(file: .receiveCPUs, queue: 0, count: 8, value: "ff,00000000")])
        newest.sharedRDMADevices = [SharedRDMADevice(device: "pci-0000-0c-00-3", name: "mlx5_0", contexts: [1])]
        #expect(plan.features.union(newest.features) == Set(JournalFeature.allCases))
        try sample.injector.write(newest)
        #expect(try sample.state() == newest)
        var newer = plan
        (newer.containers, newer.devices[0].access) = (nil, nil)
        #expect(newer.features == plan.features.subtracting([.containers, .deviceNodes]))
    }

    @Test
    func `files of this release are read, and equal the written files byte for byte`() throws {
        let sample = try JournalSample()
        let old = try (plan: sample.plan(), state: sample.state(), late: sample.injector.latePods().pods)
        let files = [("plan", sample.planFile), ("state", sample.stateFile), ("late", sample.lateFile)]
        for (name, file) in files { try Files.write(file, try JournalSample.golden(name, version: 2)) }
        let plan = try #require(try sample.injector.plan(JournalSample.claim))
        let state = try sample.state()
        #expect(plan == old.plan && state == old.state && sample.injector.latePods().pods == old.late)
        try sample.node.write(plan)
        try sample.injector.write(state)
        try sample.injector.write(try #require(old.late.first))
        for (name, file) in files { #expect(try Files.readText(file) == JournalSample.golden(name, version: 2), "\(name)") }
    }

    @Test
    func `a state of the previous release without a later list is read`() throws {
        let sample = try JournalSample()
        try Files.write(sample.stateFile, try JournalSample.golden("state").replacing(/"queueing":\[\{[^}]*\}\],/, with: ""))
        #expect(try !Files.readText(sample.stateFile).contains("queueing"))
        #expect(try sample.state().attachments.first?.host?.queueing == [])
    }

    /// A change to the text of a plan, and the error for the changed text.
    struct Damage: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var text: String
        var replacement: String
        var code: JournalTextError.Code
        var path: String

        init(_ text: String, _ replacement: String, _ code: JournalTextError.Code, _ path: String) {
            (testDescription, self.text, self.replacement, self.code, self.path) = (replacement, text, replacement, code, path)
        }
    }

    private static let first = "devices[0].interface"
    private static let damages: [Damage] = [
        Damage("\"phase\":\"prepared\"", "\"phase\":\"prepared\",\"phases\":1", .unknownKey, "phases"),
        Damage("\"phase\":\"prepared\"", "\"aPhase\":1,\"phase\":\"prepared\"", .unknownKey, "aPhase"),
        Damage("\"phase\":\"prepared\"", "\"phase\":\"prepared\",\"phase\":\"prepared\"", .duplicateKey, "phase"),
        Damage("\"phase\":\"prepared\"", "\"phase\":\"prepared\",\"phase\":\"released\"", .duplicateKey, "phase"),
        Damage("\"phase\":\"prepared\"", "\"\\u0070hase\":\"prepared\"", .unknownKey, "\\u0070hase"),
        Damage("\"phase\":\"prepared\"", "\"phase\":\"p\\u0072epared\"", .wrongValue, "phase"),
        Damage("\"major\":231,\"minor\":192", "\"minor\":192,\"major\":231", .keyOrder, "devices[0].access.nodes[0].major"),
        Damage("\"minor\":192,", "", .missingKey, "devices[0].access.nodes[0].minor"),
        Damage("\"minor\":192,", "\"minor\":192,\"mode\":1,", .unknownKey, "devices[0].access.nodes[0].mode"),
        Damage("\"isOnLink\":true", "\"isOnLink\":true,\"isUp\":{\"a\":[1]}", .unknownKey, "\(first).routes[0].isUp"),
        Damage("\"table\":77}],\"rules\"", "\"table\":77,\"tables\":1}],\"rules\"", .unknownKey, "\(first).routes[0].tables"),
        Damage("\"rules\":[],", "", .missingKey, "devices[1].interface.rules"),
        Damage("\"mtu\":9000", "\"mtu\":9000.0", .wrongValue, "\(first).mtu"),
        Damage("\"mtu\":9000", "\"mtu\":\"9000\"", .wrongType, "\(first).mtu"),
        Damage("\"mtu\":9000", "\"mtu\":null", .wrongValue, "\(first).mtu"),
        Damage("\"mtu\":9000", "\"mtu\":99999999999999999999", .wrongValue, "\(first).mtu"),
        Damage("\"kind\":\"macvlan\"", "\"kind\":\"bridge\"", .wrongValue, "devices[1].interface.child.kind"),
        Damage("\"10.77.0.254\"", "\"10.77.0.256\"", .wrongValue, "\(first).routes[0].gateway"),
        Damage("\"dhcp\",", "", .wrongFeatures, "requires"),
        Damage("\"version\":2", "\"version\":2,\"version2\":[]", .unknownKey, "version2"),
        Damage("\"version\":2", "\"version\":true", .wrongType, "version"),
        Damage("\"version\":2", "\"version\":1", .unknownKey, "requires"),
        Damage("\"requires\":[", "\"requires2\":[", .unknownKey, "requires2"),
        Damage("{", "[", .notJSON, ""), Damage("\"version\":2}", "\"version\":2", .notJSON, ""),
        Damage("\"version\":2}", "\"version", .notJSON, ""),
        Damage(
            "\"sysctls\":{",
            "\"sysctls\":{\"a\":" + String(repeating: "{\"a\":", count: 13) + "1" + String(repeating: "}", count: 13) + ",",
            .tooDeep, "\(first).sysctls.a" + String(repeating: ".a", count: 11)),
    ]

    @Test(arguments: damages)
    private func `a plan with an unknown, missing or duplicate key, or a wrong type, is refused with the path`(damage: Damage)
        throws
    {
        let sample = try JournalSample()
        try sample.rewrite()
        let good = try Files.readText(sample.planFile)
        let bad = good.replacingOccurrences(of: damage.text, with: damage.replacement, range: good.range(of: damage.text))
        #expect(bad != good)
        let decode = { () throws(JournalTextError) in try JournalDocument<ClaimPlan>.decode([UInt8](bad.utf8), uid: JournalSample.claim) }
        let error = #expect(throws: JournalTextError.self) { try decode() }
        #expect(error?.code == damage.code && error?.path == damage.path, "\(error?.code.rawValue ?? "") \(error?.description ?? "")")
        // Both daemons treat the same file as damaged.
        try Files.write(sample.planFile, bad)
        let failure = #expect(throws: JournalError.self) { try sample.injector.plan(JournalSample.claim) }
        #expect(failure?.code == .damaged && failure?.text == damage.code)
        // White space is not significant.
        try Files.write(sample.planFile, good.replacing(",", with: " ,\n\t"))
        #expect(throws: Never.self) { try sample.plan() }
    }

    @Test(arguments: [
        ("\"phase\":\"prepared\",", "", JournalTextError.Code.missingKey, "phase"), ("\"pods\":[", "\"pod\":[", .missingKey, "pods"),
        ("\"devices\":[", "\"device\":[", .missingKey, "devices"),
        ("\"phase\":\"prepared\"", "\"phase\":\"prepared\",\"phases\":1", .unknownKey, "phases"),
        ("\"version\":1", "\"requires\":[],\"version\":1", .unknownKey, "requires"),
        ("\"mtu\":9000", "\"mtu\":9000,\"mtu2\":[]", .unknownKey, "devices[0].interface.mtu2"),
    ])
    func `a plan of version 1 is read with the same strictness, except for later lists`(
        text: String, replacement: String, code: JournalTextError.Code, path: String
    ) throws {
        let good = try JournalSample.golden("plan")
        let decode = { (text: String) throws(JournalTextError) in
            try JournalDocument<ClaimPlan>.decode([UInt8](text.utf8), uid: JournalSample.claim)
        }
        let error = #expect(throws: JournalTextError.self) { _ = try decode(good.replacing(text, with: replacement)) }
        #expect(error?.code == code && error?.path == path, "\(error?.description ?? "")")
        let older = try decode(good.replacing("\"neighbours\":[],", with: "").replacing(",\"rules\":[]", with: ""))
        #expect(try older == decode(good))
    }

    @Test
    func `a list of version 1 can be absent, and a non-empty list is refused in another place`() throws {
        let good = try JournalSample.golden("plan")
        let list = try #require(good.firstMatch(of: /"rules":\[\{[^}]*\}\],/)?.output)
        // Before the routes, which come first.
        let moved = good.replacing(list, with: "").replacing("\"routes\":[{", with: list + "\"routes\":[{")
        #expect(moved != good && moved.count == good.count)
        let decode = { (text: String) throws(JournalTextError) in
            try JournalDocument<ClaimPlan>.decode([UInt8](text.utf8), uid: JournalSample.claim)
        }
        let error = #expect(throws: JournalTextError.self) { _ = try decode(moved) }
        #expect(error?.code == .keyOrder && error?.path == "devices[0].interface.routes", "\(error?.description ?? "")")
        // An object is not a list, even if it is empty.
        let (empty, first) = ("\"sysctls\":{}", "\"sizes\":")
        let object = try #require(good.firstMatch(of: /"sysctls":\{[^}]*\}/)?.output)
        let bare = good.replacing(object, with: empty)
        #expect(throws: Never.self) { _ = try decode(bare) }
        let swapped = bare.replacing(empty + ",", with: "").replacing("," + empty, with: "").replacing(first, with: empty + "," + first)
        let other = #expect(throws: JournalTextError.self) { _ = try decode(swapped) }
        #expect(other?.code == .keyOrder && other?.path == "devices[0].interface.sizes", "\(other?.description ?? "")")
    }

    @Test
    func `a file that needs a feature of a newer program stays in its place, with an error`() throws {
        let sample = try JournalSample()
        try sample.rewrite()
        let text = try Files.readText(sample.stateFile).replacing("\"requires\":[", with: "\"requires\":[\"teleport\",")
        for name in [sample.stateFile, sample.stateFile + ".copy"] { try Files.write(name, text) }
        let error = #expect(throws: JournalError.self) { try sample.injector.state(JournalSample.claim) }
        #expect(error?.code == .newer && error?.text == .newerFeature && error?.cause.contains("teleport") == true)
        #expect(try Files.readText(sample.stateFile) == text)
    }

    @Test(arguments: ["plan", "state", "late"])
    func `a deeply nested text is refused before it is decoded`(kind: String) throws {
        let sample = try JournalSample()
        let file = ["plan": sample.planFile, "state": sample.stateFile, "late": sample.lateFile][kind] ?? ""
        try Files.write(file, "{\"version\":2,\"claim\":" + String(repeating: "[", count: 500_000))
        let errors =
            kind == "plan"
            ? sample.injector.plans().damaged : kind == "state" ? sample.injector.states().damaged : sample.injector.latePods().damaged
        #expect(errors.map(\.text) == [.tooDeep])
    }

    // MARK: Size

    private func route(_ number: Int) throws -> Route {
        let bytes = [10, UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
        return Route(
            destination: IPPrefix(address: try #require(IPAddress(bytes: bytes)), length: 32), isV6: false,
            gateway: IPAddress(parsing: "10.77.0.254"), interface: 7)
    }

    @Test(arguments: [8000, 20_000])
    func `a state with thousands of routes can be read, and so can its copy`(count: Int) throws {
        let sample = try JournalSample()
        var state = try sample.state()
        state.attachments[0].host?.routes = try (0..<count).map(route)
        try sample.injector.write(state)
        #expect(try sample.state() == state)
        try Files.write(sample.stateFile, "{")
        #expect(try sample.state() == state)
    }

    @Test
    func `a value that could not be read again is not written`() throws {
        let sample = try JournalSample()
        var state = try sample.state()
        state.attachments[0].host?.routes = try (0..<40_000).map(route)
        let before = try Files.read(sample.stateFile)
        let error = #expect(throws: JournalError.self) { try sample.injector.write(state) }
        #expect(error?.code == .invalidValue && error?.text == .tooLarge)
        #expect(try Files.read(sample.stateFile) == before)
        var plan = try sample.plan()
        plan.devices = (0..<100).map { number in
            var device = plan.devices[1]
            device.device = "d\(number)"
            device.interface?.name = "n\(number)"
            device.cdiDeviceIDs = (0..<32).map { "\($0)" + String(repeating: "x", count: 400) }
            return device
        }
        let refusal = #expect(throws: JournalError.self) { try sample.node.write(plan) }
        #expect(refusal?.code == .invalidValue && refusal?.text == .tooLarge, "\(refusal?.cause.prefix(300) ?? "")")
    }

    // MARK: Bounds

    private struct Change: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var apply: @Sendable (inout ClaimPlan) -> Void
        init(_ name: String, _ apply: @escaping @Sendable (inout InterfacePlan) -> Void) {
            testDescription = name
            self.apply = { plan in if var interface = plan.devices[0].interface { apply(&interface); plan.devices[0].interface = interface }
            }
        }
        init(plan name: String, _ apply: @escaping @Sendable (inout ClaimPlan) -> Void) { (testDescription, self.apply) = (name, apply) }
    }

    private static let outOfBounds: [Change] = [
        Change("an MTU of -1") { $0.mtu = -1 }, Change("an MTU of 67") { $0.mtu = 67 }, Change("an MTU of 2^62") { $0.mtu = 1 << 62 },
        Change("a sysctl that climbs") { $0.sysctls = ["ipv4/conf/../../../var/lib/x": "1"] },
        Change("a sysctl with dots") { $0.sysctls = ["ipv4/conf/..": "1"] },
        Change("a sysctl of the core") { $0.sysctls = ["core/conf/x": "1"] },
        Change("a sysctl of two lines") { $0.sysctls = ["ipv4/conf/x": "1\n2"] }, Change("a name with a slash") { $0.name = "../x" },
        Change("a name that is a pattern") { $0.name = "x%d" }, Change("a reserved name") { $0.name = "all" },
        Change("an option for a name") { $0.name = "-r" },
        Change("a host's interface with a slash") { $0.hostName = "a/b" }, Change("no host's interface") { $0.hostName = "" },
        Change("33 addresses") { plan in plan.addresses = (0..<33).compactMap { IPPrefix(parsing: "10.0.0.\($0)/24") } },
        Change("129 routes") { plan in
            plan.routes = (0..<129).compactMap { IPPrefix(parsing: "10.0.0.\($0)/32") }.map { RouteSpec(destination: $0) }
        },
        Change("a route in the local table") { $0.routes[0].table = 255 }, Change("a rule to the main table") { $0.rules[0].table = 254 },
        Change("a rule with attributes of others") { $0.rules[0].others = [8, 0, 1, 0, 0, 0, 0, 0] },
        Change("a rule that drops") { $0.rules[0].action = 6 }, Change("65 rules") { $0.rules = Array(repeating: $0.rules[0], count: 65) },
        Change("257 neighbours") { $0.neighbours = Array(repeating: $0.neighbours[0], count: 257) },
        Change("a VRF in the main table") { $0.vrf = VRF(name: "red", table: 254) },
        Change("a long feature") { $0.features = [String(repeating: "x", count: 32): true] },
        Change("a mode of macvlan that there is not") { $0.child = ChildInterface(kind: .macvlan, mode: 3) },
        Change(plan: "a pod that is a path") { $0.pods = ["../x"] }, Change(plan: "a pod twice") { $0.pods += $0.pods },
        Change(plan: "a device twice") { $0.devices.append($0.devices[1]) },
        Change(plan: "two interfaces of one name") { $0.devices[1].interface?.name = "net1" },
        Change(plan: "129 devices") { plan in
            plan.devices += (0..<127).map { DevicePlan(pool: "p", device: "d\($0)", request: "r", cdiDeviceIDs: [], interface: nil) }
        },
        Change(plan: "VLAN 4095 of a virtual function") { $0.devices[0].virtualFunction?.settings.vlan = 4095 },
        Change(plan: "a physical function that is a path") { $0.devices[0].virtualFunction?.parent = "../x" },
        Change(plan: "an RDMA device that is a path") { $0.devices[0].rdmaDevice = "a/b" },
    ]

    @Test(arguments: outOfBounds)
    private func `a plan beyond its limits is neither written nor read`(change: Change) throws {
        let sample = try JournalSample()
        var plan = try sample.plan()
        change.apply(&plan)
        #expect(!plan.problems.isEmpty)
        let error = #expect(throws: JournalError.self) { try sample.node.write(plan) }
        #expect(error?.code == .invalidValue && error?.text == .outOfBounds && (error?.description.utf8.count ?? 0) < 2048)
        // As an attacker would write it.
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var object = try #require(try JSONSerialization.jsonObject(with: encoder.encode(plan)) as? [String: Any])
        (object["version"], object["requires"]) = (2, plan.features.map(\.rawValue).sorted())
        let text = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        try Files.write(sample.planFile, [UInt8](text))
        let refusal = #expect(throws: JournalError.self) { try sample.injector.plan(JournalSample.claim) }
        #expect(refusal?.code == .damaged && refusal?.text == .outOfBounds, "\(refusal?.description ?? "")")
    }

    @Test(arguments: [
        SysfsSettings.Entry(file: .threaded, queue: 0, count: 1, value: "0\n1"), .init(file: .threaded, queue: -1, count: 1, value: "0"),
        .init(file: .receiveCPUs, queue: 4095, count: 2, value: "0"), .init(file: .receiveCPUs, queue: .max, count: .max, value: "0"),
        .init(file: .transmitCPUs, queue: 0, count: 1, value: ""), .init(file: .transmitCPUs, queue: 0, count: 1, value: "g"),
    ])
    func `a state with a sysfs setting that no interface has is not written`(entry: SysfsSettings.Entry) throws {
        let sample = try JournalSample()
        var state = try sample.state()
        state.attachments[0].host?.sysfs = SysfsSettings(entries: [entry])
        let error = #expect(throws: JournalError.self) { try sample.injector.write(state) }
        #expect(error?.text == .outOfBounds && error?.cause.contains("attachments[0].host.sysfs.entries") == true, "\(error?.cause ?? "")")
        state.attachments[0].host?.sysfs = SysfsSettings(
            entries: .init(repeating: .init(file: .threaded, queue: 0, count: 4096, value: "0"), count: 12))
        #expect(throws: JournalError.self) { try sample.injector.write(state) }
    }

    @Test
    func `a file about another claim than that of its name is refused`() throws {
        let sample = try JournalSample()
        try Files.write(sample.planFile.replacing("0f1e2d3c", with: "0f1e2d3d"), try JournalSample.golden("plan"))
        #expect(sample.injector.plans().damaged.map(\.text) == [.otherUID])
    }
}
