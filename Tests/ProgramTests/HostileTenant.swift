// SPDX-License-Identifier: Apache-2.0

import Glibc
import Inspection

/// A pod with all capabilities over its network namespace, which changes its interfaces in any way except deleting them: no program can
/// restore a deleted interface.
struct HostileTenant {
    private var random: SplitMix
    /// The expected names of the tenant's two interfaces.
    private var names = ["net0", "net1"]
    private var made = 0
    /// The names of its interfaces on the host.
    private let hostNames: [String]
    private(set) var count = 0

    /// Actions that are performed together, with the program that performs them.
    enum Step {
        case ip([String])
        case tc([String])
        case settings([(path: String, value: String)])
        case ethtool([String])
        /// Attaches programs that stay while the tool runs (hack/testbed/programs.c).
        case programs(String, String)
        /// Moves an interface into a namespace that no other process knows.
        case hide(String)
    }

    init(_ random: SplitMix, hostNames: [String]) {
        self.random = random
        self.hostNames = hostNames
    }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
    private mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0..<values.count)] }
    private mutating func isDue(_ one: Int) -> Bool { number(0..<one) == 0 }

    mutating func steps() -> [Step] {
        var steps: [Step] = []
        for _ in 0..<2 {
            steps.append(.ip(lines(number(4..<12)) { $0.line() }))
            if isDue(2) { steps.append(.tc(lines(number(1..<4)) { $0.discipline() })) }
            steps.append(.settings((0..<number(1..<8)).map { _ in setting() }))
            if isDue(3) {
                let features = (0..<3).flatMap { _ in
                    [pick(["gro", "gso", "tso", "sg", "tx", "rx", "lro", "rxvlan"]), pick(["on", "off"])]
                }
                steps.append(.ethtool(["-K", pick(names)] + features))
            }
            if isDue(4) { steps.append(.programs(pick(["attach", "link"]), pick(names))) }
        }
        if isDue(6) { steps.append(.hide(made > 0 && isDue(2) ? "own\(number(0..<made))" : pick(names))) }
        count += steps.reduce(0) { sum, step in
            switch step {
            case .ip(let lines), .tc(let lines): sum + lines.count
            case .settings(let settings): sum + settings.count
            default: sum + 1
            }
        }
        return steps
    }

    private mutating func lines(_ count: Int, _ line: (inout HostileTenant) -> [String]) -> [String] {
        (0..<count).flatMap { _ in line(&self) }
    }

    /// Returns actions that are repeated while the pod is stopped.
    mutating func loop() -> [String] { lines(6) { $0.line() } }

    private mutating func line() -> [String] {
        let place = number(0..<2)
        let name = names[place]
        switch number(0..<24) {
        case 0:
            let other = pick(hostNames + ["net0", "net1", "eth0", "x", "123456789012345", "worst\(place)"])
            let isTaken = names.contains(other)
            if !isTaken { names[place] = other }
            return ["link set \(name) down", "link set \(name) name \(other)", "link set \(isTaken ? name : other) up"]
        case 1: return ["link set \(name) \(pick(["up", "down"]))"]
        case 2: return ["link set \(name) mtu \(pick([68, 576, 1279, 1280, 1300, 1499, 9000, 65535]))"]
        case 3:
            return ["link set \(name) address 02:bd:bd:00:00:\(pick(["01", "02", "ff"]))", "link set \(name) broadcast 02:01:01:01:01:01"]
        case 4: return ["link set \(name) alias \(pick(["spoilt", hostNames[0], "%n"]))", "link set \(name) group \(number(0..<99))"]
        case 5: return ["link set \(name) txqueuelen \(number(0..<99))", "link set \(name) numtxqueues 4"]
        case 6:
            return ["promisc", "allmulticast", "arp", "multicast", "protodown"].filter { _ in isDue(2) }.map {
                "link set \(name) \($0) \(isDue(2) ? "on" : "off")"
            }
        case 7: return ["link set \(name) mode \(pick(["dormant", "default"]))"]
        case 8: return ["link set \(name) gso_max_size 9000 gso_max_segs 5", "link set \(name) gro_max_size \(pick([0, 9000]))"]
        case 9, 10:
            let all =
                hostNames
                + (0..<pick([1, 1, 60])).map { _ in "alt\(number(0..<1_000_000))" + String(repeating: "x", count: number(0..<110)) }
            return all.shuffled(using: &random).prefix(pick([1, 3, 60])).map { "link property add dev \(name) altname \($0)" }
        case 11, 12:
            made += 1
            let kind = pick(["macvlan mode bridge", "macvlan mode private", "macvlan mode passthru", "macvlan mode vepa"])
            return ["link add link \(name) name own\(made - 1) type \(kind)", "link set own\(made - 1) up"]
        case 13:
            made += 1
            return ["link add name own\(made - 1) type bridge", "link set \(name) master own\(made - 1)", "link set own\(made - 1) up"]
        case 14:
            made += 1
            let index = pick(["", "index \(number(2..<40))"])
            return ["link add name own\(made - 1) \(index) type veth peer name peer\(made - 1)", "link set own\(made - 1) up"]
        case 15, 16:
            let count = pick([1, 3, 200])
            return (0..<count).map { "address add 203.0.\(number(0..<250)).\($0 % 250)/24 dev \(name)" }
                + ["address add 2001:db8:\(number(0..<99))::1/64 dev \(name)"]
        case 17: return ["address flush dev \(name)"]
        case 18:
            let count = pick([1, 4, 200])
            return (0..<count).map { "route add 198.51.\($0).0/24 dev \(name) table \(pick([254, 254, 100, 7777]))" }
        case 19:
            return [
                "route add default dev \(name) metric \(number(1..<99))", "route add 0.0.0.0/1 dev \(name)",
                "-6 route add ::/1 dev \(name)",
            ]
        case 20: return ["rule add iif \(name) table 100 priority \(number(1..<999))", "rule add from 10.0.0.0/8 table 7777"]
        case 21: return ["neighbour add 203.0.113.\(number(1..<250)) lladdr 02:00:00:00:00:99 dev \(name) nud permanent"]
        case 22: return ["maddress add 33:33:00:00:00:\(number(10..<99)) dev \(name)"]
        default: return ["link set \(name) addrgenmode \(pick(["none", "eui64", "random"]))", "link set \(name) nomaster"]
        }
    }

    private mutating func discipline() -> [String] {
        let name = pick(names)
        return switch number(0..<5) {
        case 0: ["qdisc replace dev \(name) root pfifo limit \(number(1..<99))"]
        case 1: ["qdisc replace dev \(name) root handle 9: prio bands 4", "qdisc add dev \(name) parent 9:1 pfifo limit 3"]
        case 2: ["qdisc replace dev \(name) root tbf rate 1mbit burst 32k latency 10ms"]
        case 3: ["qdisc add dev \(name) clsact", "filter add dev \(name) ingress matchall action drop"]
        default: ["qdisc add dev \(name) ingress", "filter add dev \(name) ingress protocol all prio 1 matchall action pass"]
        }
    }

    private static let settings = [
        "ipv4/conf/NAME/forwarding", "ipv4/conf/NAME/rp_filter", "ipv4/conf/NAME/arp_ignore", "ipv4/conf/NAME/proxy_arp",
        "ipv4/conf/all/forwarding", "ipv4/conf/default/rp_filter", "ipv4/neigh/NAME/gc_stale_time", "ipv4/neigh/NAME/mcast_solicit",
        "ipv6/conf/NAME/accept_ra", "ipv6/conf/NAME/disable_ipv6", "ipv6/conf/NAME/mtu", "ipv6/conf/NAME/use_tempaddr",
        "ipv6/conf/all/forwarding", "ipv6/conf/NAME/addr_gen_mode", "ipv6/neigh/NAME/retrans_time_ms", "ipv6/conf/default/disable_ipv6",
    ]

    private mutating func setting() -> (path: String, value: String) {
        (pick(Self.settings).replacing("NAME", with: pick(names)), pick(["0", "1", "2", "3", "77", "1280"]))
    }
}
