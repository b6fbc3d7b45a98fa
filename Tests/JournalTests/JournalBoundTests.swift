// SPDX-License-Identifier: Apache-2.0

import Foundation
import JournalModel
import NetworkModel
import Testing

/// The bounds of plans, states and reports: the last value within each, and the first outside of it.
struct JournalBoundTests {
    /// A bound: a change to the last valid value, and a change to the first invalid one.
    struct Bound<Value: Sendable>: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var code: JournalProblem.Code
        var within: @Sendable (inout Value) -> Void
        var outside: @Sendable (inout Value) -> Void
    }

    /// A list of bounds, built step by step.
    struct Bounds<Value: Sendable> {
        var all: [Bound<Value>] = []

        init(_ fill: (inout Self) -> Void) { fill(&self) }

        /// - Parameter path: the path in the reported problem.
        mutating func add<Field: Sendable>(
            _ path: String, _ code: JournalProblem.Code, _ last: Field, _ first: Field,
            _ set: @escaping @Sendable (inout Value, Field) -> Void
        ) {
            all.append(
                Bound(testDescription: path, code: code, within: { value in set(&value, last) }, outside: { value in set(&value, first) }))
        }
    }

    private static func x(_ count: Int) -> String { String(repeating: "x", count: count) }
    private static func address(_ count: Int) -> HardwareAddress { HardwareAddress(bytes: [UInt8](repeating: 2, count: count)) }
    private static func identity(_ number: Int) -> ClaimIdentity { ClaimIdentity(namespace: "a", name: "b", uid: "u\(number)") }

    private func plan() throws -> ClaimPlan {
        try JournalDocument<ClaimPlan>.decode([UInt8](JournalSample.golden("plan", version: 2).utf8), uid: JournalSample.claim)
    }

    private func state() throws -> ClaimState {
        try JournalDocument<ClaimState>.decode([UInt8](JournalSample.golden("state", version: 2).utf8), uid: JournalSample.claim)
    }

    private func check<Value>(_ value: Value, _ bound: Bound<Value>, _ problems: (Value) -> [JournalProblem]) {
        var (last, first) = (value, value)
        bound.within(&last)
        #expect(problems(last).isEmpty, "\(problems(last))")
        bound.outside(&first)
        let found = problems(first)
        #expect(found.map(\.code) == [bound.code] && found.map(\.path) == [bound.testDescription], "\(found)")
    }

    // MARK: Plans

    private static let names = Bounds<ClaimPlan> { bounds in
        bounds.add("claim.namespace", .name, x(253), x(254)) { $0.claim.namespace = $1 }
        bounds.add("claim.name", .name, x(253), x(254)) { $0.claim.name = $1 }
        bounds.add("claim.name", .name, "a", "") { $0.claim.name = $1 }
        bounds.add("claim.name", .name, "a.b_c-D9", "a/b") { $0.claim.name = $1 }
        bounds.add("claim.name", .name, "a", "a b") { $0.claim.name = $1 }
        bounds.add("claim.uid", .name, x(128), x(129)) { $0.claim.uid = $1 }
        bounds.add("claim.uid", .name, "a-B9", "a_b") { $0.claim.uid = $1 }
        bounds.add("claim.uid", .name, "a", "") { $0.claim.uid = $1 }
        bounds.add("pods[0]", .name, x(128), x(129)) { $0.pods[0] = $1 }
        bounds.add("devices[0].pool", .name, "a/" + x(251), x(254)) { $0.devices[0].pool = $1 }
        bounds.add("devices[0].device", .name, x(63), x(64)) { $0.devices[0].device = $1 }
        bounds.add("devices[0].request", .name, "a/" + x(125), x(128)) { $0.devices[0].request = $1 }
        bounds.add("devices[0].group", .name, x(63), x(64)) { $0.devices[0].group = $1 }
        bounds.add("devices[0].shareID", .name, x(128), x(129)) { $0.devices[0].shareID = $1 }
        bounds.add("devices[0].rdmaDevice", .name, x(63), x(64)) { $0.devices[0].rdmaDevice = $1 }
        bounds.add("devices[0].virtualFunction.parent", .name, x(15), x(16)) { $0.devices[0].virtualFunction?.parent = $1 }
        bounds.add("devices[0].interface.hostName", .name, x(15), x(16)) { $0.devices[0].interface?.hostName = $1 }
        bounds.add("devices[0].interface.name", .name, x(15), x(16)) { $0.devices[0].interface?.name = $1 }
        bounds.add("devices[0].interface.name", .name, "a-", "a_b") { $0.devices[0].interface?.name = $1 }
        bounds.add("devices[0].interface.name", .name, "9", "") { $0.devices[0].interface?.name = $1 }
        // An interface that keeps the host's name can have any name that the kernel accepts, except names of the pods' interfaces.
        bounds.add("devices[0].interface.name", .name, "a_b", "eth0") { plan, name in
            plan.devices[0].interface?.hostName = name
            plan.devices[0].interface?.name = name
        }
        bounds.add("devices[1].interface.vrf.name", .name, x(15), "net2") { $0.devices[1].interface?.vrf?.name = $1 }
        bounds.add("devices[1].interface.vrf.name", .name, "a", "a.b") { $0.devices[1].interface?.vrf?.name = $1 }
        bounds.add("devices[0].interface.sysctls", .name, "ipv4/conf/\(x(64))", "ipv4/conf/\(x(65))") {
            $0.devices[0].interface?.sysctls = [$1: "1"]
        }
    }.all

    private static let counts = Bounds<ClaimPlan> { bounds in
        bounds.add("pods", .count, 8192, 8193) { $0.pods = (0..<$1).map { "p\($0)" } }
        bounds.add("devices", .count, 128, 129) { plan, count in
            plan.devices = (0..<count).map { DevicePlan(pool: "p", device: "d\($0)", request: "r", cdiDeviceIDs: [], interface: nil) }
        }
        bounds.add("containers.environment", .count, 256, 257) { plan, count in
            plan.containers?.environment = Dictionary(uniqueKeysWithValues: (0..<count).map { ("A\($0)", "") })
        }
        bounds.add("containers.describedRequests", .count, 128, 129) { $0.containers?.describedRequests = (0..<$1).map { "r\($0)" } }
        bounds.add("devices[0].cdiDeviceIDs", .count, 64, 65) { $0.devices[0].cdiDeviceIDs = (0..<$1).map { "i\($0)" } }
        bounds.add("devices[0].access.nodes", .count, 128, 129) { plan, count in
            plan.devices[0].access?.nodes = (0..<count).map { NodePlan(path: "/dev/\($0)", major: 1, minor: 1) }
        }
        bounds.add("devices[0].interface.addresses", .count, 32, 33) { plan, count in
            plan.devices[0].interface?.addresses = (0..<count).compactMap { IPPrefix(parsing: "10.0.0.\($0)/24") }
        }
        bounds.add("devices[0].interface.routes", .count, 128, 129) { plan, count in
            plan.devices[0].interface?.routes = (0..<count).compactMap { IPPrefix(parsing: "10.0.0.\($0)/32") }
                .map { RouteSpec(destination: $0) }
        }
        bounds.add("devices[0].interface.rules", .count, 64, 65) { plan, count in
            plan.devices[0].interface?.rules = (0..<count).map { Rule(source: nil, table: 1000 + UInt32($0)) }
        }
        bounds.add("devices[0].interface.neighbours", .count, 256, 257) { plan, count in
            if let first = plan.devices[0].interface?.neighbours.first {
                plan.devices[0].interface?.neighbours = .init(repeating: first, count: count)
            }
        }
        bounds.add("devices[0].interface.sysctls", .count, 40, 41) { plan, count in
            plan.devices[0].interface?.sysctls = Dictionary(uniqueKeysWithValues: (0..<count).map { ("ipv6/neigh/a\($0)", "1") })
        }
        bounds.add("devices[0].interface.features", .count, 128, 129) { plan, count in
            plan.devices[0].interface?.features = Dictionary(uniqueKeysWithValues: (0..<count).map { ("f\($0)", true) })
        }
        bounds.add("devices[0].interface.privateFlags", .count, 128, 129) { plan, count in
            plan.devices[0].interface?.privateFlags = Dictionary(uniqueKeysWithValues: (0..<count).map { ("f\($0)", true) })
        }
    }.all

    private static let lengths = Bounds<ClaimPlan> { bounds in
        bounds.add("devices[0].cdiDeviceIDs", .length, x(512), x(513)) { $0.devices[0].cdiDeviceIDs = [$1] }
        bounds.add("devices[0].cdiDeviceIDs", .length, "a ~", "a\u{7f}") { $0.devices[0].cdiDeviceIDs = [$1] }
        bounds.add("devices[0].cdiDeviceIDs", .length, "", "\u{1f}") { $0.devices[0].cdiDeviceIDs = [$1] }
        bounds.add("devices[0].access.address", .length, x(64), x(65)) { $0.devices[0].access?.address = $1 }
        bounds.add("devices[0].access.nodes", .length, x(256), x(257)) { $0.devices[0].access?.nodes[0].path = $1 }
        bounds.add("devices[0].interface.parentDevice", .length, x(63), x(64)) { $0.devices[0].interface?.parentDevice = $1 }
        bounds.add("devices[0].interface.sysctls", .length, x(128), x(129)) { $0.devices[0].interface?.sysctls = ["ipv4/conf/a": $1] }
        bounds.add("devices[0].interface.features", .length, x(31), x(32)) { $0.devices[0].interface?.features = [$1: true] }
        bounds.add("devices[0].interface.privateFlags", .length, x(31), x(32)) { $0.devices[0].interface?.privateFlags = [$1: true] }
    }.all

    private static let ranges = Bounds<ClaimPlan> { bounds in
        bounds.add("devices[0].virtualFunction.number", .range, 0xffff, 0x1_0000) { $0.devices[0].virtualFunction?.number = $1 }
        bounds.add("devices[0].virtualFunction.vlan", .range, 4094, 4095) { $0.devices[0].virtualFunction?.settings.vlan = $1 }
        bounds.add("devices[0].virtualFunction.hardwareAddress", .range, 32, 33) {
            $0.devices[0].virtualFunction?.settings.hardwareAddress = address($1)
        }
        bounds.add("devices[0].interface.mtu", .range, 68, 67) { $0.devices[0].interface?.mtu = $1 }
        bounds.add("devices[0].interface.mtu", .range, 65535, 65536) { $0.devices[0].interface?.mtu = $1 }
        bounds.add("devices[0].interface.hardwareAddress", .range, 1, 0) { $0.devices[0].interface?.hardwareAddress = address($1) }
        bounds.add("devices[0].interface.permanentAddress", .range, 32, 33) { $0.devices[0].interface?.permanentAddress = address($1) }
        bounds.add("devices[0].interface.neighbours[0].hardwareAddress", .range, 32, 33) {
            $0.devices[0].interface?.neighbours[0].hardwareAddress = address($1)
        }
        bounds.add("devices[0].interface.routes[0].table", .range, 254, 255) { $0.devices[0].interface?.routes[0].table = $1 }
        bounds.add("devices[0].interface.routes[0].table", .range, 1, 0) { $0.devices[0].interface?.routes[0].table = $1 }
        bounds.add("devices[0].interface.routes[0]", .range, "10.77.0.254", "fe80::1") {
            $0.devices[0].interface?.routes[0].gateway = IPAddress(parsing: $1)
        }
        bounds.add("devices[0].interface.routes[0]", .range, "10.77.0.1", "fe80::1") {
            $0.devices[0].interface?.routes[0].source = IPAddress(parsing: $1)
        }
        bounds.add("devices[0].interface.rules[0].table", .range, 252, 253) { $0.devices[0].interface?.rules[0].table = $1 }
        bounds.add("devices[0].interface.rules[0].table", .range, 256, 255) { $0.devices[0].interface?.rules[0].table = $1 }
        bounds.add("devices[0].interface.rules[0].table", .range, 1, 0) { $0.devices[0].interface?.rules[0].table = $1 }
        bounds.add("devices[0].interface.rules[0]", .range, false, true) { $0.devices[0].interface?.rules[0].isV6 = $1 }
        bounds.add("devices[0].interface.rules[0]", .forbidden, false, true) { $0.devices[0].interface?.rules[0].isInverted = $1 }
        bounds.add("devices[1].interface.vrf.table", .range, 252, 253) { $0.devices[1].interface?.vrf?.table = $1 }
        bounds.add("devices[0].interface.addresses", .duplicate, "10.0.0.2/24", "10.0.0.1/24") { plan, text in
            plan.devices[0].interface?.addresses = ["10.0.0.1/24", text].compactMap { IPPrefix(parsing: $0) }
        }
        bounds.add("interfaces of the host", .duplicate, ChildInterface(kind: .macvlan), nil) { plan, child in
            let name = plan.devices[0].interface?.hostName ?? ""
            plan.devices[1].interface?.hostName = name
            plan.devices[1].interface?.child = child
        }
    }.all

    /// MACVLAN_MODE_ and IPVLAN_MODE_ of linux/if_link.h, and the 12 bits of a VLAN.
    private static let children = Bounds<ClaimPlan> { bounds in
        let pairs: [(ChildInterface, ChildInterface)] = [
            (ChildInterface(kind: .macvlan, mode: 16), ChildInterface(kind: .macvlan, mode: 32)),
            (ChildInterface(kind: .macvlan, mode: 1), ChildInterface(kind: .macvlan, mode: 0)),
            (ChildInterface(kind: .macvlan, mode: 8), ChildInterface(kind: .macvlan, mode: 8, vlan: 1)),
            (ChildInterface(kind: .ipvlan, mode: 2), ChildInterface(kind: .ipvlan, mode: 3)),
            (ChildInterface(kind: .ipvlan), ChildInterface(kind: .ipvlan, vlan: 1)),
            (ChildInterface(kind: .vlan, vlan: 4094), ChildInterface(kind: .vlan, vlan: 4095)),
            (ChildInterface(kind: .vlan, vlan: 1), ChildInterface(kind: .vlan, vlan: 0)),
            (ChildInterface(kind: .vlan, vlan: 1), ChildInterface(kind: .vlan, mode: 1, vlan: 1)),
        ]
        for (last, first) in pairs {
            bounds.add("devices[1].interface.child", .range, last, first) { $0.devices[1].interface?.child = $1 }
        }
    }.all

    private static let plans: [Bound<ClaimPlan>] = [names, counts, lengths, ranges, children].flatMap { $0 }

    @Test(arguments: plans)
    func `a plan is within a bound, or has one problem with its code and path`(bound: Bound<ClaimPlan>) throws {
        check(try plan(), bound, \.problems)
    }

    // MARK: States and reports

    private static let states = Bounds<ClaimState> { bounds in
        bounds.add("boot", .name, "", "a_b") { $0.boot = $1 }
        bounds.add("attachments", .count, 8192, 8193) { $0.attachments = .init(repeating: $0.attachments[1], count: $1) }
        bounds.add("sharedRDMADevices", .count, 8192, 8193) {
            $0.sharedRDMADevices = .init(repeating: SharedRDMADevice(device: "d", name: "n", contexts: []), count: $1)
        }
        bounds.add("sharedRDMADevices[0].device", .name, x(63), x(64)) {
            $0.sharedRDMADevices = [SharedRDMADevice(device: $1, name: "n", contexts: [])]
        }
        bounds.add("sharedRDMADevices[0].name", .name, x(63), x(64)) {
            $0.sharedRDMADevices = [SharedRDMADevice(device: "d", name: $1, contexts: [])]
        }
        bounds.add("attachments[0].device", .name, x(63), x(64)) { $0.attachments[0].device = $1 }
        bounds.add("attachments[0].podUID", .name, "", "a_b") { $0.attachments[0].podUID = $1 }
        bounds.add("attachments[0].sandbox", .length, x(4096), x(4097)) { $0.attachments[0].sandbox = $1 }
        bounds.add("attachments[0].namespacePath", .length, "/" + x(4095), "/" + x(4096)) { $0.attachments[0].namespacePath = $1 }
        bounds.add("attachments[0].namespacePath", .name, "/a/b", "a/b") { $0.attachments[0].namespacePath = $1 }
        bounds.add("attachments[0].namespacePath", .name, "/a/..b", "/a/../b") { $0.attachments[0].namespacePath = $1 }
        bounds.add("attachments[0].podName", .name, x(15), x(16)) { $0.attachments[0].podName = $1 }
        bounds.add("attachments[0].vrf", .name, x(15), x(16)) { $0.attachments[0].vrf = $1 }
        bounds.add("attachments[0].podIndex", .range, 1, 0) { $0.attachments[0].podIndex = $1 }
        bounds.add("attachments[0].rdmaDevice", .name, x(63), x(64)) { $0.attachments[0].rdmaDevice = $1 }
        bounds.add("attachments[0].hardwareAddress", .range, 32, 33) { $0.attachments[0].hardwareAddress = address($1) }
        bounds.add("attachments[0].problem", .length, 65536, 65537) { $0.attachments[0].problem = x($1) }
        bounds.add("attachments[0].virtualFunction.parent", .name, x(45), x(46)) { $0.attachments[0].virtualFunction?.parent = $1 }
        bounds.add("attachments[0].virtualFunction.number", .range, 0xffff, 0x1_0000) { $0.attachments[0].virtualFunction?.number = $1 }
        bounds.add("attachments[0].host.index", .range, 1, 0) { $0.attachments[0].host?.index = $1 }
        bounds.add("attachments[0].host.hardwareAddress", .range, 32, 33) { $0.attachments[0].host?.hardwareAddress = address($1) }
        bounds.add("attachments[0].host.permanentAddress", .range, 1, 0) { $0.attachments[0].host?.permanentAddress = address($1) }
        bounds.add("attachments[0].host.softwareRDMA.name", .name, x(63), x(64)) { $0.attachments[0].host?.softwareRDMA?.name = $1 }
        bounds.add("attachments[0].host.softwareRDMA.node", .name, x(63), x(64)) { $0.attachments[0].host?.softwareRDMA?.node = $1 }
        bounds.add("attachments[0].host.neighbourSettings", .name, x(16), x(17)) { $0.attachments[0].host?.neighbourSettings[0].table = $1 }
        bounds.add("attachments[0].host.recordedAt", .range, 0, -1) { $0.attachments[0].host?.recordedAt = $1 }
        bounds.add("attachments[0].host.parameters", .length, 1024, 1025) {
            $0.attachments[0].host?.parameters = [DriverParameter(list: 0, type: 0, value: .init(repeating: 0, count: $1))]
        }
        bounds.add("attachments[0].host.driverSettings.rules", .count, 16_384, 16_385) { state, count in
            let rule = state.attachments[0].host?.driverSettings?.rules?.first
            state.attachments[0].host?.driverSettings?.rules = rule.map { .init(repeating: $0, count: count) }
        }
        bounds.add("attachments[0].host.driverSettings.contexts", .count, 64, 65) { state, count in
            let context = state.attachments[0].host?.driverSettings?.contexts?.first
            state.attachments[0].host?.driverSettings?.contexts = context.map { .init(repeating: $0, count: count) }
        }
        bounds.add("attachments[0].host.driverSettings.contexts", .length, 2, 3) {
            $0.attachments[0].host?.driverSettings?.contexts?[1].size = $1
        }
        bounds.add("attachments[0].host.driverSettings.hashFields", .count, 64, 65) {
            $0.attachments[0].host?.driverSettings?.hashFields = .init(repeating: HashFields(flow: 1, fields: 1), count: $1)
        }
        bounds.add("attachments[0].host.driverSettings.timestamping", .length, 12, 13) {
            $0.attachments[0].host?.driverSettings?.timestamping = HexBytes(.init(repeating: 0, count: $1))
        }
        bounds.add("attachments[0].host.sysfs.entries", .range, 4096, 4097) {
            $0.attachments[0].host?.sysfs = SysfsSettings(entries: [.init(file: .receiveCPUs, queue: 0, count: $1, value: "1")])
        }
        bounds.add("attachments[0].host.sysfs.entries", .range, 0, -1) {
            $0.attachments[0].host?.sysfs = SysfsSettings(entries: [.init(file: .receiveCPUs, queue: $1, count: 1, value: "1")])
        }
        bounds.add("attachments[0].host.sysfs.entries", .length, 128 << 10, (128 << 10) + 1) { state, size in
            state.attachments[0].host?.sysfs = SysfsSettings(
                entries: (0..<64).map {
                    .init(
                        file: .transmitCPUs, queue: $0, count: 1,
                        value: String(repeating: "1", count: $0 == 0 ? size - 63 * 2048 : 2048))
                })
        }
        // The number of values in the eleven files for all queues.
        bounds.add("attachments[0].host.sysfs.entries", .count, 11, 12) {
            $0.attachments[0].host?.sysfs = SysfsSettings(
                entries: .init(repeating: .init(file: .receiveCPUs, queue: 0, count: 4096, value: "1"), count: $1))
        }
    }.all

    /// A name of the kernel as text: the kernel refuses only blanks and slashes, and each byte that is not UTF-8 becomes three bytes.
    private static let kernelNames = Bounds<ClaimState> { bounds in
        let pairs = [(x(45), x(46)), ("a", ""), ("...", "."), ("a", ".."), ("!", " "), ("ü:%\u{7f}", "a/b")]
        for (last, first) in pairs {
            bounds.add("attachments[0].host.name", .name, last, first) { $0.attachments[0].host?.name = $1 }
        }
    }.all

    private static let reports = Bounds<LatePod> { bounds in
        bounds.add("claims", .count, 256, 257) { $0.claims = (0..<$1).map(identity) }
        bounds.add("problem", .length, 65536, 65537) { $0.problem = x($1) }
        bounds.add("claims[0].uid", .name, "a", "a/b") { $0.claims[0].uid = $1 }
        bounds.add("pod.uid", .name, "a", "a/b") { $0.uid = $1 }
    }.all

    @Test(arguments: states + kernelNames)
    func `a state is within a bound, or has one problem with its code and path`(bound: Bound<ClaimState>) throws {
        check(try state(), bound, \.problems)
    }

    @Test(arguments: reports)
    func `a report of a late pod is within a bound, or has one problem with its code and path`(bound: Bound<LatePod>) throws {
        check(LatePod(namespace: "a", name: "b", uid: "u", claims: [Self.identity(0)]), bound, \.problems)
    }

    // MARK: Names

    @Test
    func `a name of the host's interface has printable characters except blanks, slashes, colons and percent signs`() {
        let letters = "abcdefghijklmnopqrstuvwxyz"
        let taken = Set((letters + letters.uppercased() + "0123456789!\"#$&'()*+,-.;<=>?@[\\]^_`{|}~").utf8)
        for byte in UInt8(0)...0x7f {
            let name = "a\(Character(Unicode.Scalar(byte)))"
            #expect(JournalNames.isHostInterface(name) == taken.contains(byte), "\(byte)")
        }
        #expect(!JournalNames.isHostInterface("ü") && !JournalNames.isHostInterface(".") && !JournalNames.isHostInterface(".."))
    }

    @Test
    func `a sysctl has three parts, and the first two have fixed values`() {
        for path in ["ipv4/conf/rp_filter", "ipv6/neigh/a", "ipv6/conf/9"] { #expect(JournalNames.isSysctl(path), "\(path)") }
        for path in [
            "ipv5/conf/a", "ipv4/route/a", "ipv4/conf/", "ipv4/conf/a/b", "ipv4/conf", "ipv4/conf/A", "ipv4/conf/a.b", "/ipv4/conf/a", "",
        ] {
            #expect(!JournalNames.isSysctl(path), "\(path)")
        }
    }

    // MARK: Features

    @Test
    func `each part of a plan needs its feature, and a plain plan none`() {
        let plain = ClaimPlan(
            claim: Self.identity(0), pods: [],
            devices: [
                DevicePlan(pool: "p", device: "d", request: "r", cdiDeviceIDs: [], interface: InterfacePlan(hostName: "a", name: "b"))
            ])
        #expect(plain.features.isEmpty)
        let changes: [(JournalFeature, (inout ClaimPlan) -> Void)] = [
            (.openClaim, { $0.isOpen = false }), (.containers, { $0.containers = ContainerPlan() }),
            (.rdmaDevice, { $0.devices[0].rdmaDevice = "a" }),
            (.virtualFunction, { $0.devices[0].virtualFunction = VirtualFunctionPlan(parent: "a", number: 0) }),
            (.deviceNodes, { $0.devices[0].access = DeviceAccess(address: "a", nodes: []) }),
        ]
        let parts: [(JournalFeature, (inout InterfacePlan) -> Void)] = [
            (.subInterface, { $0.child = ChildInterface(kind: .macvlan) }), (.dhcp, { $0.dhcp = false }), (.dhcp6, { $0.dhcp6 = false }),
            (.vrf, { $0.vrf = VRF(name: "a", table: 7) }), (.rules, { $0.rules = [Rule(source: nil, table: 7)] }),
            (.neighbours, { $0.neighbours = [NeighbourSpec(address: .anyV4, hardwareAddress: Self.address(6))] }),
            (.segmentSizes, { $0.sizes = SegmentSizes() }), (.sysctls, { $0.sysctls = [:] }), (.deviceFeatures, { $0.features = [:] }),
            (.privateFlags, { $0.privateFlags = [:] }), (.detachesPrograms, { $0.detachesPrograms = true }),
            (.identity, { $0.parentDevice = "a" }), (.identity, { $0.permanentAddress = Self.address(6) }),
        ]
        for (feature, change) in changes {
            var plan = plain
            change(&plan)
            #expect(plan.features == [feature])
        }
        for (feature, change) in parts {
            var plan = plain
            if var interface = plan.devices[0].interface {
                change(&interface)
                plan.devices[0].interface = interface
            }
            #expect(plan.features == [feature])
        }
    }

    @Test
    func `each part of a state needs its feature, and a plain state none`() {
        var attachment = JournalModel.Attachment(
            phase: .attached, device: "d", podUID: "", sandbox: "", namespacePath: "/", namespace: FileIdentity(device: 0, inode: 0),
            podName: nil, host: HostRecord(Link(index: 1, type: 1, flags: 0)))
        func features(_ change: (inout JournalModel.Attachment) -> Void) -> Set<JournalFeature> {
            var changed = attachment
            change(&changed)
            return ClaimState(claim: Self.identity(0), boot: "", attachments: [changed]).features
        }
        #expect(features { _ in } == [])
        #expect(features { $0[.v4] = .awaited } == [.dhcp] && features { $0[.v6] = .bound } == [.dhcp6])
        #expect(features { $0.vrf = "a" } == [.vrf] && features { $0.rdmaDevice = "a" } == [.rdmaDevice])
        let function = VirtualFunctionRecord(parent: "a", number: 0, settings: VirtualFunction(number: 0))
        #expect(features { $0.virtualFunction = function } == [.virtualFunction])
        #expect(
            features { $0.host?.functions = [] } == [.ownFunctions] && features { $0.host?.sysfs = SysfsSettings() } == [.sysfsSettings])
        #expect(features { $0.host?.softwareRDMA = SoftwareRDMA(name: "a", index: 1, node: nil) } == [.softwareRDMA])
        #expect(features { $0.host?.rules = [Rule(source: nil, table: 7)] } == [.rules])
        #expect(features { $0.host?.neighbours = [Neighbour(index: 1, address: .anyV4, hardwareAddress: nil)] } == [.neighbours])
        #expect(features { $0.host?.queueing = [QueueingDiscipline(kind: "fq", handle: 1, parent: 1)] } == [.queueing])
        #expect(features { $0.host?.driverSettings = DriverSettings() } == [.driverSettings])
        // The first four lists of parameters are older than the feature.
        #expect(features { $0.host?.parameters = [DriverParameter(list: 3, type: 1, value: [])] } == [])
        #expect(features { $0.host?.parameters = [DriverParameter(list: 4, type: 1, value: [])] } == [.driverSettings])
        attachment.host = nil
        #expect(features { _ in } == [])
        var state = ClaimState(claim: Self.identity(0), boot: "", attachments: [])
        state.sharedRDMADevices = []
        #expect(state.features == [.sharedRDMA])
    }
}
