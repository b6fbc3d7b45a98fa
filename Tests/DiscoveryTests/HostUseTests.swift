// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import Linux
import Netlink
import NetworkModel
import Testbed
import Testing

/// Interfaces in use by the host, and the evidence for the use.
struct HostUseTests {
    private static func link(_ index: Int32, on link: Int32? = nil, in master: Int32? = nil, _ kind: String? = nil) -> Link {
        var builder = MessageBuilder()
        Link.header(&builder, index: index)
        builder.attribute(3, text: "if\(index)")
        guard var result = Link(Message(type: 16, flags: 0, payload: builder.body)) else { preconditionFailure() }
        result.link = link
        result.master = master
        result.kind = kind
        return result
    }

    private static func defaultRoute(_ index: Int32, isV6: Bool = false, table: UInt32 = Route.mainTable) -> Route {
        Route(destination: nil, isV6: isV6, interface: index, table: table)
    }

    private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(parsing: text)) }

    private func address(_ text: String, on index: Int32) throws -> InterfaceAddress {
        InterfaceAddress(index: index, prefix: try #require(IPPrefix(parsing: text)))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var links: [Link]
        var routes: [Route]
        var uplinks: Set<Int32>
    }

    /// Interface 9 is a separate fabric NIC in all of them.
    private static let cases = [
        Case(
            testDescription: "a plain NIC", links: [link(1), link(9)], routes: [defaultRoute(1)], uplinks: [1]),
        Case(
            testDescription: "a bond and its ports", links: [link(1, in: 3), link(2, in: 3), link(3, "bond"), link(9)],
            routes: [defaultRoute(3)], uplinks: [1, 2, 3]),
        Case(
            testDescription: "a team and its ports", links: [link(1, in: 3), link(2, in: 3), link(3, "team"), link(9)],
            routes: [defaultRoute(3)], uplinks: [1, 2, 3]),
        Case(
            testDescription: "a VLAN on a bond, and a macvlan beside it",
            links: [link(1, in: 3), link(2, in: 3), link(3, "bond"), link(4, on: 3, "vlan"), link(5, on: 3, "macvlan"), link(9)],
            routes: [defaultRoute(4)], uplinks: [1, 2, 3, 4, 5]),
        Case(
            testDescription: "a macvlan for the host", links: [link(1), link(2, on: 1, "macvlan"), link(9)],
            routes: [defaultRoute(2)], uplinks: [1, 2]),
        Case(
            testDescription: "an ipvlan", links: [link(1), link(2, on: 1, "ipvlan"), link(9)], routes: [defaultRoute(2)],
            uplinks: [1, 2]),
        Case(
            testDescription: "a bridge with a NIC and a guest", links: [link(1, in: 3), link(2, in: 3, "tun"), link(3, "bridge"), link(9)],
            routes: [defaultRoute(3)], uplinks: [1, 2, 3]),
        Case(
            testDescription: "Open vSwitch: the NIC in the datapath, the address on an internal port",
            links: [link(1, in: 3), link(3, "openvswitch"), link(4, "openvswitch"), link(9)], routes: [defaultRoute(4)],
            uplinks: [1, 3, 4]),
        Case(
            testDescription: "two default routes", links: [link(1), link(2), link(9)], routes: [defaultRoute(1), defaultRoute(2)],
            uplinks: [1, 2]),
        Case(
            testDescription: "IPv6 only", links: [link(1), link(9)], routes: [defaultRoute(1, isV6: true)], uplinks: [1]),
        Case(testDescription: "no route yet", links: [link(1), link(9)], routes: [], uplinks: []),
        Case(
            testDescription: "the other end of a veth is not part of the stack", links: [link(1, on: 2, "veth"), link(2, on: 1, "veth")],
            routes: [defaultRoute(1)], uplinks: [1]),
        Case(
            testDescription: "a separate VRF for management", links: [link(1, in: 3), link(3, "vrf"), link(9)],
            routes: [defaultRoute(1, table: 10)], uplinks: [1, 3]),
    ]

    @Test(arguments: cases)
    func `uplinks are the interfaces of default routes, and the interfaces above and below them`(_ test: Case) {
        let found = Set(HostRouting(links: test.links, addresses: [], routes: test.routes).uses().keys)
        #expect(found == test.uplinks)
    }

    @Test
    func `the node's address protects its interface also without a default route`() throws {
        let addresses = [try address("10.0.0.5/24", on: 2)]
        let links = [Self.link(1), Self.link(2)]
        #expect(
            HostRouting(links: links, addresses: addresses, routes: []).uses(nodeAddresses: [try ip("10.0.0.5")])
                == [2: HostUse(.nodeAddress, "10.0.0.5")])
        #expect(HostRouting(links: links, addresses: addresses, routes: []).uses() == [:])
    }

    @Test
    func `a multipath default route makes all of its interfaces uplinks`() throws {
        // struct rtmsg, then RTA_MULTIPATH with two struct rtnexthop.
        var builder = MessageBuilder([2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0])
        builder.attribute(9, [8, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0])
        let route = try #require(Route(Message(type: 24, flags: 0, payload: builder.body)))
        #expect(route.interfaces == [1, 2])
        let links = [Self.link(1), Self.link(2), Self.link(9)]
        #expect(Set(HostRouting(links: links, addresses: [], routes: [route]).uses().keys) == [1, 2])
    }

    @Test
    func `a separate table for each fabric NIC makes no uplink, but a table that pods use does`() throws {
        let links = [Self.link(1), Self.link(2)]
        let addresses = [try address("10.1.0.5/24", on: 2)]
        let routes = [Self.defaultRoute(1), Self.defaultRoute(2, table: 102)]
        func uplinks(_ sources: [String?]) throws -> Set<Int32> {
            let rules = sources.map { Rule(source: $0.flatMap { IPPrefix(parsing: $0) }, table: 102) }
            return Set(HostRouting(links: links, addresses: addresses, routes: routes, rules: rules).uses().keys)
        }
        #expect(try uplinks(["10.1.0.5/32"]) == [1])
        #expect(try uplinks(["10.1.0.77/32"]) == [1, 2])
        #expect(try uplinks(["10.1.0.5/32", nil]) == [1, 2])
        #expect(try uplinks(["10.1.0.0/24"]) == [1, 2])
        #expect(try uplinks([]) == [1, 2])
    }

    /// A snapshot in a namespace that represents the host.
    private func machine(of host: NetworkNamespace, _ destinations: HostDestinations = HostDestinations()) throws -> Machine {
        let discovery = Discovery(root: .live(), destinations: destinations)
        return try host.run({ () throws(NetlinkError) in try discovery.snapshot().machine }, entering: { NetlinkError("enter", $0) })
    }

    private func run(_ line: String, in host: NetworkNamespace, _ program: String = "/sbin/ip") throws {
        let ended = try ChildProcess.run(program, line.split(separator: " ").map(String.init), in: host)
        try #require(ended.status == 0, "\(line): \(ended.output)")
    }

    /// NICs, each one end of a veth, up and with addresses.
    private func host(_ nics: [String: String]) throws -> NetworkNamespace {
        let host = try NetworkNamespace.make()
        try run("link set lo up", in: host)
        for (name, address) in nics.sorted(by: { $0.key < $1.key }) {
            try run("link add \(name) type veth peer name w-\(name)", in: host)
            try run("addr add \(address) dev \(name)\(address.contains(":") ? " nodad" : "")", in: host)
            try run("link set w-\(name) up", in: host)
            try run("link set \(name) up", in: host)
        }
        return host
    }

    private func uses(_ host: NetworkNamespace, _ destinations: HostDestinations = HostDestinations()) throws -> [String: HostUse] {
        let netdevs = try machine(of: host, destinations).virtualNetdevs
        return Dictionary(
            netdevs.compactMap { netdev in netdev.hostUse.map { (netdev.name, $0) } }, uniquingKeysWith: { first, _ in first })
    }

    @Test(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"), arguments: [false, true])
    func `a default route over a next hop object, single or a group, is a default route`(isCompatible: Bool) throws {
        let host = try host(["fab0": "10.0.0.1/31", "fab1": "10.0.1.1/31", "fab2": "10.0.2.1/31", "fab3": "fd00::1/127"])
        // Without this sysctl, routes with next hop objects do not list their interfaces (net.ipv4.nexthop_compat_mode).
        try host.run { () throws(SystemError) in
            try Files.write("/proc/sys/net/ipv4/nexthop_compat_mode", isCompatible ? "1" : "0")
        }
        try run("nexthop add id 7 via 10.0.0.0 dev fab0", in: host)
        try run("route add default nhid 7", in: host)
        #expect(try uses(host) == ["fab0": HostUse(.defaultRoute)])
        try run("nexthop add id 8 via 10.0.1.0 dev fab1", in: host)
        try run("nexthop add id 9 group 7/8", in: host)
        try run("route replace default nhid 9", in: host)
        #expect(try uses(host) == ["fab0": HostUse(.defaultRoute), "fab1": HostUse(.defaultRoute)])
        try run("route del default", in: host)
        try run("nexthop add id 10 via fd00:: dev fab3", in: host)
        try run("-6 route add default nhid 10 metric 5", in: host)
        #expect(try uses(host) == ["fab3": HostUse(.defaultRoute)])
    }

    @Test(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
    func `a default route in parts, with several next hops, over the other family or in another table is a default route`() throws {
        let host = try host(["fab0": "10.0.0.1/31", "fab1": "10.0.1.1/31", "fab2": "fd00::1/127"])
        func kinds() throws -> [String: HostUse.Kind] { try uses(host).mapValues(\.kind) }
        for (add, interfaces) in [
            ("route add 0.0.0.0/1 via 10.0.0.0", ["fab0"]), ("route add 64.0.0.0/2 via 10.0.1.0", ["fab1"]),
            ("-6 route add 2000::/3 via fd00:: dev fab2", ["fab2"]),
            ("route add default nexthop via 10.0.0.0 dev fab0 nexthop via 10.0.1.0 dev fab1", ["fab0", "fab1"]),
            ("route add default via inet6 fd00:: dev fab2", ["fab2"]), ("route add default via 10.0.1.0 table 77", ["fab1"]),
        ] {
            try run(add, in: host)
            #expect(try kinds() == Dictionary(uniqueKeysWithValues: interfaces.map { ($0, .defaultRoute) }), "\(add)")
            try run(add.replacing(" add ", with: " del "), in: host)
            #expect(try kinds() == [:], "\(add)")
        }
    }

    @Test(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
    func `the kernel's routes to the API server, to a neighbour of the node and to its pods make an interface the host's`() throws {
        let host = try host([
            "fab0": "10.0.0.1/31", "fab1": "10.50.0.1/24", "fab2": "192.0.2.5/24", "fab3": "fd00::1/64", "fab4": "10.60.0.1/24",
        ])
        try run("route add 10.96.0.0/12 via 10.0.0.0", in: host)
        try run("route add 10.244.3.0/24 via 10.50.0.9", in: host)
        // The node's address is on one interface, and its neighbours are reachable over another.
        try run("route add 192.0.2.1/32 dev fab4", in: host)
        var destinations = HostDestinations(nodeAddresses: [try ip("192.0.2.5")])
        destinations.apiServers = [try ip("10.96.0.1"), try ip("fd00::77"), try ip("127.0.0.1"), try ip("203.0.113.1")]
        destinations.podNetworks = [try #require(IPPrefix(parsing: "10.244.3.0/24"))]
        #expect(
            try uses(host, destinations) == [
                "fab0": HostUse(.apiServer, "10.96.0.1"), "fab3": HostUse(.apiServer, "fd00::77"),
                "fab1": HostUse(.podNetwork, "10.244.3.0/24"), "fab2": HostUse(.nodeAddress, "192.0.2.5"),
                "fab4": HostUse(.peer, "192.0.2.1"),
            ])
        #expect(
            try uses(host) == [
                "fab0": HostUse(.gatewayRoute, "10.96.0.0/12 via 10.0.0.0"), "fab1": HostUse(.gatewayRoute, "10.244.3.0/24 via 10.50.0.9"),
            ])
    }

    @Test
    func `a reason is a sentence that names its object`() {
        for (use, text) in [
            (HostUse(.defaultRoute), "the host's default route uses this interface"),
            (HostUse(.defaultRoute, stackedWith: "bond0"), "the host's default route uses bond0, which is in the same stack"),
            (HostUse(.apiServer, "10.96.0.1"), "the host reaches the API server 10.96.0.1 over this interface"),
            (HostUse(.upperInterface, "store0"), "interface store0 of the host is stacked on this interface"),
            (HostUse(.gatewayRoute, "10.0.0.0/8 via 10.1.0.1"), "the host's route 10.0.0.0/8 via 10.1.0.1 uses this interface"),
        ] { #expect(use.description == text) }
    }

    @Test(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
    func `the kernel's own bridge, macvlan, routes and rules are recognised`() throws {
        let host = try NetworkNamespace.make()
        for line in [
            "link add nic0 type veth peer name wire0", "link add br0 type bridge", "link set nic0 master br0",
            "link add link br0 name mac0 type macvlan", "link add fab0 type veth peer name wire1",
            "addr add 10.0.0.5/24 dev br0", "addr add 10.1.0.5/24 dev fab0", "link set br0 up", "link set nic0 up",
            "link set wire0 up", "link set fab0 up", "link set wire1 up",
        ] {
            #expect(try ChildProcess.run("/sbin/ip", line.split(separator: " ").map(String.init), in: host).status == 0, "\(line)")
        }
        func uplinks() throws -> [String] {
            try machine(of: host).virtualNetdevs.filter { $0.hostUse?.kind == .defaultRoute }.map(\.name)
        }
        #expect(try uplinks() == [])
        let stack = try machine(of: host).virtualNetdevs
        #expect(stack.first { $0.name == "nic0" }?.hostUse == HostUse(.port, "br0"))
        #expect(stack.first { $0.name == "br0" }?.hostUse == HostUse(.upperInterface, "mac0"))
        func ip(_ line: String) throws {
            let ended = try ChildProcess.run("/sbin/ip", line.split(separator: " ").map(String.init), in: host)
            #expect(ended.status == 0, "\(line): \(ended.output)")
        }
        // The route appears late.
        try ip("route add default via 10.0.0.1")
        #expect(try uplinks() == ["br0", "mac0", "nic0"])
        try ip("route add default via 10.1.0.1 dev fab0 table 102")
        try ip("rule add from 10.1.0.5 lookup 102")
        #expect(try uplinks() == ["br0", "mac0", "nic0"])
        try ip("rule add from 10.9.0.5 lookup 102")
        #expect(try uplinks() == ["br0", "fab0", "mac0", "nic0"])
        try ip("rule del from 10.9.0.5 lookup 102")
        try ip("route del default")
        try ip("-6 addr add fd00::5/64 dev fab0 nodad")
        try ip("-6 route add default via fd00::1")
        #expect(try uplinks() == ["fab0"])
    }
}
