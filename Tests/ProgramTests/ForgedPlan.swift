// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import NetworkModel

/// Valid plans with values at the limits, as an attacker with knowledge of the format would write them.
struct ForgedPlan<Random: RandomNumberGenerator> {
    var random: Random
    /// The claimed interfaces.
    var interfaces: [String]
    /// The rarity of each anomaly, compared with the most abnormal plan, which is usually refused for the first of many reasons.
    private var rarity = 1

    init(random: Random, interfaces: [String]) {
        self.random = random
        self.interfaces = interfaces
    }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
    private mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0..<values.count)] }
    private mutating func isDue(_ one: Int) -> Bool { number(0..<(one * rarity)) == 0 }

    private static var prefixes: [String] {
        [
            "0.0.0.0/0", "127.0.0.1/8", "224.0.0.1/4", "255.255.255.255/32", "10.77.0.1/24", "10.77.9.9/31", "169.254.1.1/16",
            "192.0.2.1/32",
            "::/0", "::1/128", "ff02::1/128", "fe80::1/64", "2001:db8::1/128", "2001:db8::/127", "::ffff:10.0.0.1/128", "10.77.1.1/0",
        ]
    }
    private static var tables: [UInt32] { [1, 100, 252, 253, 254, 256, 1000, 0x7fff_ffff, 0xffff_ffff] }
    private static var texts: [String] { ["0", "1", "-1", "2147483648", "99999999999", "x", " ", "1 2", "0x10"] }

    private mutating func prefix() -> IPPrefix { IPPrefix(parsing: pick(Self.prefixes)) ?? IPPrefix(address: .anyV4, length: 0) }

    private mutating func hardwareAddress() -> HardwareAddress {
        pick([
            HardwareAddress(bytes: [0x02, 0, 0, 0, 0, UInt8(number(0..<256))]), HardwareAddress(bytes: [0, 0, 0, 0, 0, 0]),
            HardwareAddress(bytes: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), HardwareAddress(bytes: [0x01, 0, 0x5e, 0, 0, 1]),
        ])
    }

    private mutating func interface(_ place: Int) -> InterfacePlan {
        var plan = InterfacePlan(
            hostName: interfaces[place % interfaces.count], name: pick(["net1", "net2", "wire0", "a", "x-y", "123456789012345", "none"]))
        if isDue(4) { plan.hostName = pick(interfaces + ["wire0", "lo", "none0", "eth0", ".x", "-r", "*"]) }
        if isDue(3) { plan.mtu = pick([68, 69, 576, 1279, 1280, 1499, 1500, 1501, 9000, 65535]) }
        if isDue(4) { plan.hardwareAddress = hardwareAddress() }
        if isDue(6) { plan.permanentAddress = hardwareAddress() }
        if isDue(8) { plan.parentDevice = pick(["0000:0c:00.0", "../../x", "virtio0", ""]) }
        if isDue(2) { plan.addresses = Array(Set((0..<pick([0, 1, 2, 31, 32])).map { _ in prefix() })) }
        for _ in 0..<pick([0, 0, 1, 3, 128]) {
            var route = RouteSpec(destination: prefix())
            if isDue(2) { route.gateway = prefix().address }
            if isDue(4) { route.source = prefix().address }
            if isDue(3) { route.table = pick(Self.tables) }
            if isDue(3) { route.metric = pick([0, 1, 0xffff_ffff]) }
            if isDue(4) { route.mtu = pick([0, 1, 68, 65536, 0xffff_ffff]) }
            if isDue(3) { route.isOnLink = isDue(2) }
            plan.routes.append(route)
        }
        for _ in 0..<pick([0, 0, 0, 1, 64]) {
            let source = prefix()
            plan.rules.append(
                Rule(source: source, table: pick(Self.tables), priority: pick([nil, 0, 1, 32766, 0xffff_ffff]), isV6: source.address.isV6))
        }
        for _ in 0..<pick([0, 0, 0, 2, 256]) {
            plan.neighbours.append(NeighbourSpec(address: prefix().address, hardwareAddress: hardwareAddress()))
        }
        if isDue(5) { plan.sizes = SegmentSizes(gso: pick([nil, 0, 1, 65536, 0xffff_ffff]), gro: pick([nil, 0, 524_280, 0xffff_ffff])) }
        if isDue(4) {
            let keys = [
                "ipv4/conf/forwarding", "ipv6/conf/disable_ipv6", "ipv4/conf/rp_filter", "ipv4/neigh/gc_stale_time", "ipv6/conf/none",
            ]
            plan.sysctls = Dictionary((0..<3).map { _ in (pick(keys), pick(Self.texts)) }, uniquingKeysWith: { first, _ in first })
        }
        if isDue(5) { plan.features = [pick(["rx-gro", "tx-checksum-ip-generic", "none", "highdma"]): isDue(2)] }
        if isDue(8) { plan.privateFlags = [pick(["none", "rx_striding_rq"]): true] }
        if isDue(8) { plan.vrf = VRF(name: pick(["vrf0", "wire0", "net9"]), table: pick(Self.tables)) }
        if isDue(6) { plan.detachesPrograms = isDue(2) }
        if isDue(5) { plan.child = ChildInterface(kind: .macvlan, mode: pick([nil, 1, 2, 4, 8, 16])) }
        if isDue(12) { plan.child = pick([ChildInterface(kind: .ipvlan, mode: 0), ChildInterface(kind: .vlan, vlan: 4094)]) }
        return plan
    }

    /// Changes the devices of a plan, and keeps the claim.
    mutating func forge(_ honest: ClaimPlan) -> ClaimPlan {
        var plan = honest
        rarity = pick([1, 3, 8])
        for index in plan.devices.indices {
            plan.devices[index].interface = isDue(8) ? nil : interface(index)
            if isDue(10) { plan.devices[index].rdmaDevice = pick(["mlx5_0", "none", "rxe0"]) }
            if isDue(10) {
                var function = VirtualFunctionPlan(parent: pick(interfaces + ["wire0", "lo"]), number: pick([0, 1, 0xffff]))
                function.settings.vlan = pick([nil, 0, 4094])
                function.settings.hardwareAddress = hardwareAddress()
                plan.devices[index].virtualFunction = function
            }
            if isDue(4) {
                let path = pick(["/dev/null", "/dev/../etc/passwd", "/etc/passwd", "/dev/mem", "/dev/infiniband/uverbs0"])
                plan.devices[index].access = DeviceAccess(
                    address: pick(["0000:0c:00.0", "..", "eth0", ""]), nodes: [NodePlan(path: path, major: 1, minor: 3)])
            }
        }
        if isDue(6) { plan.pods += (0..<pick([1, 100, 8000])).map { "pod-x\($0)" } }
        if isDue(6) { plan.isOpen = true }
        if isDue(6) { plan.phase = .released }
        if isDue(4) {
            plan.containers = ContainerPlan(
                environment: [pick(["A", "LD_PRELOAD", "A=B", "", "PATH"]): pick(Self.texts + ["a\nb"])], hasTopology: isDue(2),
                describedRequests: [pick(["nic", "../x", ""])], podClaimName: pick([nil, "../x", "c"]))
        }
        return plan
    }
}
