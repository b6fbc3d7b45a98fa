// SPDX-License-Identifier: Apache-2.0

import Addressing
import Glibc
import Journal
import Linux
import Netlink
import PodNetwork
import Testbed
import Testing

/// Moves in real namespaces; the state of the host is compared as text.
@Suite(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct PodNetworkTests {
    /// A host with interfaces that have something to lose, and a pod.
    private struct Scene {
        let host: NetworkNamespace
        let pod: NetworkNamespace

        init(links: Int = 2) throws {
            host = try NetworkNamespace.make()
            pod = try NetworkNamespace.make()
            try host.run { () throws(SystemError) in
                for scope in ["all", "default"] { try Files.write("/proc/sys/net/ipv6/conf/\(scope)/accept_dad", "0") }
            }
            try ip("link", "set", "lo", "up")
            try ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
            try ip("link", "set", "wire0", "up")
            try ip("link", "set", "wire1", "up")
            for index in 0..<links {
                let name = "nic\(index)"
                try ip("link", "add", "link", "wire0", "name", name, "type", "macvlan", "mode", "bridge")
                try ip("link", "set", name, "alias", "port \(index)", "mtu", "1480")
                try ip("link", "property", "add", "dev", name, "altname", "enp\(index)s0np0")
                try ip("address", "add", "10.9.\(index).1/24", "broadcast", "10.9.\(index).255", "dev", name)
                try ip("address", "add", "10.9.\(index).2/24", "dev", name, "valid_lft", "5000", "preferred_lft", "4000")
                try ip("link", "set", name, "up")
                try ip("-6", "address", "add", "2001:db8:\(index)::1/64", "dev", name)
                try ip("route", "add", "192.0.2.0/24", "via", "10.9.\(index).254", "dev", name, "metric", "10\(index)")
                try ip("route", "add", "198.51.100.0/24", "dev", name, "table", "77", "metric", "\(index + 5)")
                try ip("-6", "route", "add", "2001:db8:ff::/48", "via", "2001:db8:\(index)::ff", "dev", name, "metric", "20\(index)")
            }
        }

        func ip(_ arguments: String...) throws {
            let result = try ChildProcess.run("/sbin/ip", arguments, in: host)
            if result.status != 0 { throw SystemError("ip \(arguments.joined(separator: " ")): \(result.output)", "", code: result.status) }
        }

        /// The host in words; how much of a lifetime is left is not compared.
        /// The state of the host, once it is at rest: the kernel does some of what follows a change (carrier,
        /// link-local addresses) in its own time.
        func text() throws -> String {
            var last = try currentText()
            _ = try eventually(seconds: 2) {
                usleep(20_000)
                let now = try currentText()
                defer { last = now }
                return now == last
            }
            return last
        }

        private func currentText() throws -> String {
            try TestNode.describe(host).split(separator: "\n").map { line in
                line.contains("valid_lft") && line.contains("sec") && !line.contains("forever") ? "       valid_lft SOME" : String(line)
            }.joined(separator: "\n")
        }

        /// Runs in the host's namespace, as the daemon does.
        func onHost<Value>(_ body: @escaping (HostNetwork, PodNetwork) throws(PodNetworkError) -> Value) throws -> Value {
            try host.run { () throws(PodNetworkError) in
                let network = try HostNetwork()
                return try body(network, PodNetwork(host: network))
            } entering: {
                PodNetworkError("*", "enter", $0)
            }
        }

        func inPod(_ arguments: String...) throws -> String { try ChildProcess.run("/sbin/ip", arguments, in: pod).output }
    }

    private static func plan(_ index: Int, name: String? = nil) -> InterfacePlan {
        InterfacePlan(hostName: "nic\(index)", name: name ?? "net\(index)")
    }

    @Test(arguments: [1, 8])
    func `interfaces go and come back, and the host is the same to the last line`(links: Int) throws {
        let scene = try Scene(links: links)
        let before = try scene.text()
        let pod = scene.pod
        try scene.onHost { (host, network) throws(PodNetworkError) in
            var orders: [PodNetwork.Order] = []
            for index in 0..<links { orders.append(.init(plan: Self.plan(index), record: try host.record("nic\(index)"))) }
            let results = try network.attach(orders, to: pod)
            #expect(results.map(\.name) == (0..<links).map { "net\($0)" })
            #expect(results[0].addresses.map(\.description) == ["10.9.0.1/24", "2001:db8::1/64"])
            for order in orders { try network.restore(order.record, podName: order.plan.name, from: pod, isAltered: nil) }
        }
        #expect(try scene.text() == before)
    }

    @Test
    func `an interface has in the pod what its plan says`() throws {
        let scene = try Scene()
        let before = try scene.text()
        let pod = scene.pod
        var plan = Self.plan(0)
        plan.mtu = 1400
        plan.hardwareAddress = HardwareAddress(parsing: "02:11:22:33:44:55")
        plan.addresses = [try #require(IPPrefix(parsing: "172.16.5.5/24")), try #require(IPPrefix(parsing: "2001:db8:5::5/64"))]
        plan.routes = [
            RoutePlan(destination: try #require(IPPrefix(parsing: "0.0.0.0/0")), gateway: IPAddress(parsing: "172.16.5.1")),
            RoutePlan(destination: try #require(IPPrefix(parsing: "172.17.0.0/16"))),
            RoutePlan(destination: try #require(IPPrefix(parsing: "2001:db8:6::/48")), gateway: IPAddress(parsing: "2001:db8:5::1")),
        ]
        let wanted = plan
        let record = try scene.onHost { (host, network) throws(PodNetworkError) in
            let record = try host.record("nic0")
            _ = try network.attach([.init(plan: wanted, record: record)], to: pod)
            return record
        }
        let link = try scene.inPod("address", "show", "net0")
        for part in ["mtu 1400", "02:11:22:33:44:55", "172.16.5.5/24", "2001:db8:5::5/64", "UP"] { #expect(link.contains(part), "\(link)") }
        #expect(!link.contains("10.9.0.1"))
        let routes = try scene.inPod("route") + scene.inPod("-6", "route")
        for part in ["default via 172.16.5.1", "172.17.0.0/16 dev net0", "2001:db8:6::/48 via 2001:db8:5::1"] {
            #expect(routes.contains(part), "\(routes)")
        }
        try scene.onHost { (_, network) throws(PodNetworkError) in
            try network.restore(record, podName: "net0", from: pod, isAltered: wanted.hardwareAddress)
            // Again, as after a crash: nothing changes.
            try network.restore(record, podName: "net0", from: pod, isAltered: wanted.hardwareAddress)
        }
        #expect(try scene.text() == before)
    }

    @Test(arguments: ["mtu", "address", "gateway", "name", "missing"])
    func `if one interface fails all are where they were`(fault: String) throws {
        let scene = try Scene()
        if fault == "name" { _ = try ChildProcess.run("/sbin/ip", ["link", "add", "net1", "type", "ifb"], in: scene.pod) }
        let before = try scene.text()
        let pod = scene.pod
        var second = Self.plan(1)
        switch fault {
        // More than the interface below it has.
        case "mtu": second.mtu = 65000
        case "address": second.addresses = [try #require(IPPrefix(parsing: "224.0.0.1/24")), try #require(IPPrefix(parsing: "ff02::1/64"))]
        case "gateway":
            second.routes = [
                RoutePlan(destination: try #require(IPPrefix(parsing: "10.0.0.0/8")), gateway: IPAddress(parsing: "203.0.113.1"))
            ]
        default: break
        }
        let broken = second
        let error = #expect(throws: PodNetworkError.self) {
            try scene.onHost { (host, network) throws(PodNetworkError) in
                var record = try host.record("nic1")
                if fault == "missing" { record.index = 9999 }
                _ = try network.attach(
                    [.init(plan: Self.plan(0), record: try host.record("nic0")), .init(plan: broken, record: record)], to: pod)
            }
        }
        #expect(error?.interface == "nic1", "\(error.map(String.init(describing:)) ?? "")")
        #expect(try scene.text() == before)
        #expect(try !scene.inPod("link").contains("net0"))
    }

    @Test
    func `a port of a bridge is refused before it is touched`() throws {
        let scene = try Scene()
        try scene.ip("link", "add", "br0", "type", "bridge")
        try scene.ip("link", "set", "wire1", "master", "br0")
        let error = #expect(throws: PodNetworkError.self) {
            try scene.onHost { (host, _) throws(PodNetworkError) in try host.record("wire1") }
        }
        #expect(error?.description.contains("it is a port of a bridge") == true)
    }

    @Test
    func `an interface of the same name that is another one is left alone`() throws {
        let scene = try Scene()
        let pod = scene.pod
        let record = try scene.onHost { (host, _) throws(PodNetworkError) in try host.record("nic0") }
        try scene.ip("link", "del", "nic0")
        try scene.ip("link", "add", "link", "wire0", "name", "nic0", "type", "macvlan", "mode", "bridge")
        let before = try scene.text()
        #expect(throws: PodNetworkError("nic0", "find it on the host", "it did not come back")) {
            try scene.onHost { (_, network) throws(PodNetworkError) in
                try network.restore(record, podName: "net0", from: pod, isAltered: nil)
            }
        }
        #expect(try scene.text() == before)
    }

    @Test
    func `a move that broke off on either side is finished backwards`() throws {
        let scene = try Scene()
        let before = try scene.text()
        let pod = scene.pod
        let record = try scene.onHost { (host, _) throws(PodNetworkError) in try host.record("nic0") }
        // Moved, but under its old name; then moved and renamed, but not set up.
        for name in ["nic0", "net0"] {
            try scene.ip("link", "set", "nic0", "down")
            let path = "/proc/self/fd/\(pod.descriptor.raw)"
            _ = try scene.host.run { () throws(SystemError) in
                do throws(NetlinkError) {
                    let socket = try NetlinkSocket()
                    try socket.change(record.index, LinkChange(name: name, namespace: pod.descriptor.raw), path)
                } catch { throw SystemError("\(error)", "", code: error.code) }
            }
            try scene.onHost { (_, network) throws(PodNetworkError) in
                try network.restore(record, podName: "net0", from: pod, isAltered: nil)
            }
            #expect(try scene.text() == before, "\(name)")
        }
    }

    @Test
    func `a file that is no namespace is refused`() throws {
        let scratch = try ScratchFolder()
        try Files.write(scratch("x"), "")
        let error = #expect(throws: SystemError.self) { try NetworkNamespace(path: scratch("x")) }
        #expect(error?.description.contains("as a network namespace") == true)
    }
}
