// SPDX-License-Identifier: Apache-2.0

import Addressing
import Discovery
import Hardware
import Linux
import Netlink
import Testbed
import Testing

struct UplinkTests {
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

    private func address(_ text: String, on index: Int32) throws -> InterfaceAddress {
        InterfaceAddress(index: index, prefix: try #require(IPPrefix(parsing: text)))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var links: [Link]
        var routes: [Route]
        var uplinks: Set<Int32>
    }

    /// Interface 9 is a fabric NIC apart in all of them.
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
            testDescription: "the other end of a veth is no part of the stack", links: [link(1, on: 2, "veth"), link(2, on: 1, "veth")],
            routes: [defaultRoute(1)], uplinks: [1]),
        Case(
            testDescription: "a VRF of its own for management", links: [link(1, in: 3), link(3, "vrf"), link(9)],
            routes: [defaultRoute(1, table: 10)], uplinks: [1, 3]),
    ]

    @Test(arguments: cases)
    func `uplinks are what default routes need, up and down the stack`(_ test: Case) {
        let found = Uplinks.indices(links: test.links, addresses: [], routes: test.routes, rules: [], nodeAddresses: [])
        #expect(found == test.uplinks)
    }

    @Test
    func `the node's address protects its interface also without a default route`() throws {
        let addresses = [try address("10.0.0.5/24", on: 2)]
        let links = [Self.link(1), Self.link(2)]
        #expect(
            Uplinks.indices(links: links, addresses: addresses, routes: [], rules: [], nodeAddresses: ["10.0.0.5"]) == [2])
        #expect(Uplinks.indices(links: links, addresses: addresses, routes: [], rules: [], nodeAddresses: []) == [])
    }

    @Test
    func `a route with several next hops makes all of them uplinks`() throws {
        // struct rtmsg, then RTA_MULTIPATH with two struct rtnexthop.
        var builder = MessageBuilder([2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0])
        builder.attribute(9, [8, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0])
        let route = try #require(Route(Message(type: 24, flags: 0, payload: builder.body)))
        #expect(route.interfaces == [1, 2])
        let links = [Self.link(1), Self.link(2), Self.link(9)]
        #expect(Uplinks.indices(links: links, addresses: [], routes: [route], rules: [], nodeAddresses: []) == [1, 2])
    }

    @Test
    func `a table of its own for each fabric NIC makes no uplink, one that pods use does`() throws {
        let links = [Self.link(1), Self.link(2)]
        let addresses = [try address("10.1.0.5/24", on: 2)]
        let routes = [Self.defaultRoute(1), Self.defaultRoute(2, table: 102)]
        func uplinks(_ sources: [String?]) throws -> Set<Int32> {
            let rules = sources.map { Rule(source: $0.flatMap { IPPrefix(parsing: $0) }, table: 102) }
            return Uplinks.indices(links: links, addresses: addresses, routes: routes, rules: rules, nodeAddresses: [])
        }
        #expect(try uplinks(["10.1.0.5/32"]) == [1])
        #expect(try uplinks(["10.1.0.77/32"]) == [1, 2])
        #expect(try uplinks(["10.1.0.5/32", nil]) == [1, 2])
        #expect(try uplinks(["10.1.0.0/24"]) == [1, 2])
        #expect(try uplinks([]) == [1, 2])
    }

    @Test(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
    func `the kernel's own bridge, macvlan, routes and rules are read as such`() throws {
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
            let discovery = Discovery(root: .live(), nodeAddresses: ["192.0.2.1"])
            let snapshot = try host.run({ () throws(NetlinkError) in try discovery.snapshot() }, entering: { NetlinkError("enter", $0) })
            return snapshot.machine.virtualNetdevs.filter(\.isUplink).map(\.name)
        }
        #expect(try uplinks() == [])
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
