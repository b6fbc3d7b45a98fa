// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import NRIMessages
import Netlink
import NetworkModel
import SliceModel
import Testbed
import Testing

/// Attempts of tenants with NET_ADMIN to delay `nearside-nri`, with the real daemons.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct HostileTenantTests {
    private func ip(_ line: String, _ namespace: NetworkNamespace) throws {
        let ended = try ChildProcess.run("/sbin/ip", line.split(separator: " ").map(String.init), in: namespace)
        try #require(ended.status == 0, "\(line): \(ended.output)")
    }

    /// A node whose NIC is the end of a veth, with a pod that has it as net1.
    private func start() throws -> (node: TestNode, pod: NRIPodSandbox) {
        let node = try TestNode.hgxA100()
        let name = try #require(node.options.machine.functions.first { $0.sliceName == TestNode.nic }?.netdevs.first?.name)
        try ip("link del \(name)", node.host)
        try ip("link add \(name) type veth peer name w-\(name)", node.host)
        for end in [name, "w-\(name)"] { try ip("link set \(end) up", node.host) }
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net1", in: pod, address: nil))
        return (node, pod)
    }

    @Test
    func `a thousand upper interfaces on a pod's NIC do not delay the runtime beyond its time-out`() throws {
        let (node, pod) = try start()
        defer { node.removeAllPods() }
        try node.namespace(of: pod).run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            guard let nic = try socket.link(named: "net1") else { throw NetlinkError("find net1", code: ENODEV) }
            for number in 0..<1000 {
                try socket.addLink("m\(number)", kind: "macvlan", parent: nic.index) { $0.attribute(1, integer: UInt32(4)) }
            }
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
        let start = ContinuousClock.now
        try node.runtime?.stop(pod)
        // NRI's request time-out. Deleted one by one, the interfaces take the kernel 17 seconds.
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(try !node.interfaces(pod).contains("m999"))
        #expect(try !node.hasInterface("net1", in: pod))
        try node.unprepare("a")
    }

    @Test
    func `names of a pod's interfaces use no memory of nearside-nri`() throws {
        let (node, pod) = try start()
        defer { node.removeAllPods() }
        let process = try #require(node.injectorDaemon?.identifier)
        let before = try node.peak(of: process)
        try node.namespace(of: pod).run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            for number in 0..<600 {
                try socket.addLink("b\(number)", kind: "bridge")
                guard let link = try socket.link(named: "b\(number)") else { continue }
                for start in stride(from: 0, to: 480, by: 40) {
                    let names = (start..<start + 40).map { "\(number)-\($0)-\(String(repeating: "x", count: 110))" }
                    let failures = try socket.execute(all: [.addAlternativeNames(names, to: link.index)])
                    if let failure = failures.first { throw failure.error }
                }
            }
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
        // Each attempt reads the pod's interfaces.
        try node.runtime?.create(NRIContainer(), in: pod)
        try node.runtime?.stop(pod)
        #expect(try !node.hasInterface("net1", in: pod))
        #expect(try node.peak(of: process) - before < 16 << 20)
        try node.unprepare("a")
    }
}
