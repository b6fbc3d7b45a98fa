// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import JournalModel
import Linux
import NRIMessages
import Netlink
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Interfaces with more objects than one datagram holds, in real namespaces.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct LargeTableTests {
    /// Runs netlink calls on a thread in a namespace.
    private static func run<Value>(
        in namespace: NetworkNamespace, _ body: @escaping (NetlinkSocket) throws(NetlinkError) -> Value
    ) throws -> Value {
        try namespace.run({ () throws(NetlinkError) in try body(NetlinkSocket()) }, entering: { NetlinkError("enter", $0) })
    }

    private static func done(_ socket: NetlinkSocket, _ requests: [NetlinkRequest]) throws(NetlinkError) {
        if let failure = try socket.execute(all: requests).first { throw failure.error }
    }

    /// Routes to hosts, on the link.
    private static func routes(_ count: Int, by interface: Int32, first: UInt8 = 20) -> [NetlinkRequest] {
        (0..<count).compactMap { number in
            let bytes = [first, UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
            return IPAddress(bytes: bytes).map {
                .set(Route(destination: IPPrefix(address: $0, length: 32), isV6: false, gateway: nil, interface: interface))
            }
        }
    }

    /// The kernel's maximum of 496 names of 124 bytes, one message of 66 KB.
    static func longNames(_ mark: String) -> [String] {
        (0..<496).map { number in
            let start = "\(mark)-\(number)-"
            return start + String(repeating: "x", count: 124 - start.utf8.count)
        }
    }

    /// A host with interfaces `nic0` and so on, and a pod.
    private struct Scene {
        let host: NetworkNamespace
        let pod: NetworkNamespace

        init(links: Int = 1) throws {
            host = try NetworkNamespace.make()
            pod = try NetworkNamespace.make()
            try LargeTableTests.run(in: host) { (socket) throws(NetlinkError) in
                try socket.addLink("wire0", kind: "veth")
                for link in try socket.links() where link.kind == "veth" {
                    try socket.change(link.index, LinkChange(isUp: true), "bring it up")
                }
                guard let wire = try socket.link(named: "wire0") else { return }
                for index in 0..<links {
                    try socket.addLink("nic\(index)", kind: "macvlan", parent: wire.index)
                    guard let link = try socket.link(named: "nic\(index)"),
                        let address = IPAddress(bytes: [10, 9, UInt8(truncatingIfNeeded: index), 1])
                    else { continue }
                    try socket.setAddress(InterfaceAddress(index: link.index, prefix: IPPrefix(address: address, length: 24)))
                    try socket.change(link.index, LinkChange(isUp: true), "bring it up")
                }
            }
        }

        func index(_ name: String = "nic0", in namespace: NetworkNamespace? = nil) throws -> Int32 {
            try #require(try LargeTableTests.run(in: namespace ?? host) { (socket) throws(NetlinkError) in try socket.link(named: name) })
                .index
        }

        /// Runs in the host's namespace, as the daemon does.
        func onHost<Value>(_ body: @escaping (PodNetwork) throws(PodNetworkError) -> Value) throws -> Value {
            try host.run { () throws(PodNetworkError) in
                try body(PodNetwork())
            } entering: {
                PodNetworkError(.refused, "host", "enter", $0)
            }
        }

        func attach(_ plans: [InterfacePlan]) throws -> [HostRecord] {
            try onHost { [pod] (network) throws(PodNetworkError) in
                let records = try network.records(plans.map(\.hostName))
                _ = try network.attach(
                    zip(plans, records).map { PodNetwork.AttachRequest(device: $0.hostName, plan: $0, record: $1) }, to: pod, record: {})
                return records
            }
        }

        func restore(_ plans: [InterfacePlan], _ records: [HostRecord]) throws -> [PodNetworkError] {
            try onHost { [pod] (network) throws(PodNetworkError) in
                let returns = zip(plans, records).map { plan, record in
                    PodNetwork.RestoreRequest(
                        Attachment(
                            phase: .moving, device: plan.hostName, podUID: "", sandbox: "", namespacePath: "",
                            namespace: FileIdentity(device: 0, inode: 0), podName: plan.name, host: record))
                }
                return network.restore(returns, from: pod).map(\.error)
            }
        }
    }

    private static func plan(_ index: Int = 0) -> InterfacePlan { InterfacePlan(hostName: "nic\(index)", name: "net\(index)") }

    @Test
    func `an interface with 500 addresses is attached`() throws {
        let scene = try Scene()
        var plan = Self.plan()
        plan.addresses = try (0..<500).map { try #require(IPPrefix(parsing: "10.20.\($0 / 250).\($0 % 250 + 1)/16")) }
        let records = try scene.attach([plan])
        let index = try scene.index("net0", in: scene.pod)
        let addresses = try Self.run(in: scene.pod) { (socket) throws(NetlinkError) in try socket.addresses(of: index) }
        #expect(addresses.count { !$0.prefix.address.isV6 } == 500)
        #expect(try scene.restore([plan], records).isEmpty)
    }

    @Test(arguments: [600, 10_000])
    func `an interface with many routes moves with them, and is restored with them`(count: Int) throws {
        let scene = try Scene()
        func routes(_ name: String, _ namespace: NetworkNamespace) throws -> Int {
            let index = try scene.index(name, in: namespace)
            return try Self.run(in: namespace) { (socket) throws(NetlinkError) in
                try socket.routes(of: index).count { $0.destination?.address.bytes.first == 20 }
            }
        }
        let index = try scene.index()
        try Self.run(in: scene.host) { (socket) throws(NetlinkError) in try Self.done(socket, Self.routes(count, by: index)) }
        let records = try scene.attach([Self.plan()])
        #expect(records[0].routes.count == count)
        #expect(try routes("net0", scene.pod) == count)
        #expect(try scene.restore([Self.plan()], records).isEmpty)
        #expect(try routes("nic0", scene.host) == count)
    }

    @Test
    func `300 equal rules of two interfaces count as one rule without an error`() throws {
        let scene = try Scene(links: 2)
        var plans = [Self.plan(0), Self.plan(1)]
        for index in plans.indices {
            plans[index].rules = [Rule](repeating: Rule(source: IPPrefix(parsing: "10.9.0.0/24"), table: 55, priority: 1000), count: 300)
        }
        let records = try scene.attach(plans)
        let rules = try Self.run(in: scene.pod) { (socket) throws(NetlinkError) in try socket.rules() }
        #expect(rules.count { $0.table == 55 } == 1)
        #expect(try scene.restore(plans, records).isEmpty)
    }

    @Test
    func `the first of hundreds of refused routes is reported with the kernel's reason`() throws {
        let scene = try Scene()
        var plan = Self.plan()
        plan.routes = try (0..<300).map {
            RouteSpec(
                destination: try #require(IPPrefix(parsing: "20.0.\($0 / 250).\($0 % 250)/32")), gateway: IPAddress(parsing: "192.0.2.1"))
        }
        let wanted = plan
        let error = #expect(throws: PodNetworkError.self) { try scene.attach([wanted]) }
        let text = error?.description ?? ""
        #expect(text.contains("set a route") && text.contains("20.0.0.0/32") && text.contains("unreachable"), "\(text)")
        #expect(try scene.index("nic0") > 0, "it is on the host again")
    }

    @Test
    func `64 KiB of names, of the host or of a pod, do not prevent an attach or restore`() throws {
        let scene = try Scene(links: 2)
        let first = try scene.index()
        try Self.run(in: scene.host) { (socket) throws(NetlinkError) in
            try Self.done(socket, [.addAlternativeNames(Self.longNames("host"), to: first)])
        }
        let plans = [Self.plan(0), Self.plan(1)]
        let records = try scene.attach(plans)
        #expect(records[0].alternativeNames.count == 496)
        let second = try scene.index("net1", in: scene.pod)
        try Self.run(in: scene.pod) { (socket) throws(NetlinkError) in
            try Self.done(socket, [.addAlternativeNames(Self.longNames("pod"), to: second)])
        }
        #expect(try scene.restore(plans, records).isEmpty)
        let links = try Self.run(in: scene.host) { (socket) throws(NetlinkError) in try socket.links() }
        #expect(links.map(\.name).contains("nic1"))
        #expect(links.first { $0.name == "nic0" }?.alternativeNames == Self.longNames("host"))
    }

    // MARK: Through the daemons

    /// The peak memory of a process in KiB (proc_pid_status(5)).
    private static func peak(of process: pid_t?) throws -> Int {
        let status = try Files.readText("/proc/\(try #require(process))/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(Int(line.split(separator: " ").dropLast().last ?? ""))
    }

    /// The interface of ``TestNode/nic`` on the host.
    private static func interface(_ node: TestNode) throws -> Link {
        let netdev = try #require(
            node.options.machine.functions.first { $0.address.description == "0000:0c:00.0" }?.netdevs.first)
        return try #require(try run(in: node.host) { (socket) throws(NetlinkError) in try socket.link(named: netdev.name) })
    }

    @Test
    func `a claim of an interface with 500 addresses and 600 routes is prepared, attached and released`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let link = try Self.interface(node)
        let addresses = try (0..<500).map { number in
            NetlinkRequest.set(
                InterfaceAddress(index: link.index, prefix: try #require(IPPrefix(parsing: "10.20.\(number / 250).\(number % 250 + 1)/16")))
            )
        }
        try Self.run(in: node.host) { (socket) throws(NetlinkError) in
            try Self.done(socket, addresses + Self.routes(600, by: link.index))
        }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.interfaces(pod).contains("10.20.1.250/16"))
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        #expect(try node.changes(since: before).isEmpty)
    }

    @Test
    func `100000 routes of other interfaces use no memory during an attach`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try Self.run(in: node.host) { (socket) throws(NetlinkError) in
            guard let wire = try socket.link(named: "wire0") else { return }
            try Self.done(socket, Self.routes(100_000, by: wire.index, first: 30))
        }
        try node.addClaim("a")
        try node.prepare("a")
        let before = try Self.peak(of: node.injectorDaemon?.identifier)
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net1", in: pod))
        let after = try Self.peak(of: node.injectorDaemon?.identifier)
        #expect(after - before < 8 << 10, "\(before) KiB before, \(after) KiB after")
        try node.runtime?.stop(pod)
        try node.unprepare("a")
    }

    @Test
    func `an interface to which a pod gave 64 KiB of names is restored, and nearside-node starts with such names on the host`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let wire = try #require(try Self.run(in: node.host) { (socket) throws(NetlinkError) in try socket.link(named: "wire0") })
        try Self.run(in: node.host) { (socket) throws(NetlinkError) in
            try Self.done(socket, [.addAlternativeNames(Self.longNames("wire"), to: wire.index)])
        }
        let name = try Self.interface(node).name
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        let namespace = try node.namespace(of: pod)
        try Self.run(in: namespace) { (socket) throws(NetlinkError) in
            guard let link = try socket.link(named: "net1") else { throw NetlinkError("find net1", code: ENODEV) }
            try Self.done(socket, [.addAlternativeNames(Self.longNames("pod"), to: link.index)])
        }
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        #expect(try Self.run(in: node.host) { (socket) throws(NetlinkError) in try socket.links().map(\.name) }.contains(name))
        node.kill(node: SIGTERM)
        try node.startNode()
        try node.addClaim("b", pod: "pod-2")
        try node.prepare("b")
        try node.unprepare("b")
    }
}
