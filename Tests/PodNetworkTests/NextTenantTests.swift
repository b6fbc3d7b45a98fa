// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Attempts of a pod to leave objects on a NIC for the next pod or the host.
@Suite(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct NextTenantTests {
    /// A host with two NICs, one end of a veth and a macvlan, which support different attacks.
    struct Scene {
        let host: NetworkNamespace
        let wire: NetworkNamespace

        init() throws {
            host = try NetworkNamespace.make()
            wire = try NetworkNamespace.make()
            for namespace in [host, wire] {
                try namespace.run { () throws(SystemError) in
                    for scope in ["all", "default"] { try Files.write("/proc/sys/net/ipv6/conf/\(scope)/accept_dad", "0") }
                }
            }
            try Self.ip(host, "link", "add", "nic0", "type", "veth", "peer", "name", "port0")
            try Self.ip(host, "link", "add", "uplink0", "type", "veth", "peer", "name", "port1")
            try Self.ip(host, "link", "add", "link", "uplink0", "name", "nic1", "type", "macvlan", "mode", "bridge")
            for name in ["port0", "port1", "uplink0", "nic0", "nic1"] { try Self.ip(host, "link", "set", name, "up") }
            for index in 0..<2 {
                try Self.ip(host, "link", "property", "add", "dev", "nic\(index)", "altname", "enp\(index)s0np0")
                try Self.ip(host, "address", "add", "10.9.\(index).1/24", "dev", "nic\(index)")
            }
        }

        static func ip(_ namespace: NetworkNamespace, _ arguments: String...) throws { try run(namespace, "/sbin/ip", arguments) }

        static func run(_ namespace: NetworkNamespace, _ program: String, _ arguments: [String]) throws {
            let result = try ChildProcess.run(program, arguments, in: namespace)
            if result.status != 0 {
                throw SystemError("\(program) \(arguments.joined(separator: " ")): \(result.output)", "", code: result.status)
            }
        }

        /// Runs in the host's namespace, as the daemon does.
        func onHost<Value>(_ body: @escaping (PodNetwork) throws(PodNetworkError) -> Value) throws -> Value {
            try host.run { () throws(PodNetworkError) in
                try body(PodNetwork())
            } entering: {
                PodNetworkError(.refused, "host", "enter", $0)
            }
        }

        func attach(_ names: [String], to pod: NetworkNamespace) throws -> [PodNetwork.RestoreRequest] {
            try onHost { (network) throws(PodNetworkError) in
                let records = try network.records(names)
                let plans = names.map { InterfacePlan(hostName: $0, name: "net\($0.suffix(1))") }
                let results = try network.attach(
                    zip(plans, records).map { PodNetwork.AttachRequest(device: $0.hostName, plan: $0, record: $1) }, to: pod)
                return zip(zip(plans, records), results).map { pair, result in
                    var attachment = Attachment(
                        phase: .attached, device: pair.0.hostName, podUID: "", sandbox: "", namespacePath: "",
                        namespace: pod.identity, podName: pair.0.name, host: pair.1)
                    attachment.podIndex = result.index
                    return PodNetwork.RestoreRequest(attachment)
                }
            }
        }

        func restore(_ returns: [PodNetwork.RestoreRequest], from pod: NetworkNamespace?) throws -> [PodNetworkError] {
            try onHost { (network) throws(PodNetworkError) in network.restore(returns, from: pod).map(\.error) }
        }

        func text() throws -> String { try HostText.atRest(within: 2) { try Self.view(host) } }

        /// The output of `ip`, `tc`, `ethtool` and the sysctls in a namespace.
        static func view(_ namespace: NetworkNamespace) throws -> String {
            var text = try HostText.network(namespace) + HostText.settings(namespace)
            text += try ChildProcess.run("/sbin/ip", ["-d", "link", "show"], in: namespace).output
            for name in ["net0", "net1", "nic0", "nic1"] {
                text += try ChildProcess.run("/sbin/tc", ["filter", "show", "dev", name, "ingress"], in: namespace).output
                for option in ["-l", "-g", "-c", "-a", "--show-fec", "-x", "-n", "--show-priv-flags"] {
                    text += try ChildProcess.run("/sbin/ethtool", [option, name], in: namespace).output
                }
            }
            return text
        }
    }

    /// Attaches programs to interfaces. Built by hack/test; nil if it is missing, or the kernel is older than 6.6.
    private static let programs: String? = {
        let path = "\(Place.project)/.build/programs"
        return (try? ChildProcess.run(path, ["count", "lo"]))?.status == 0 ? path : nil
    }()

    /// Programs that stay attached to an interface while the tool runs.
    private static func attach(_ command: String, _ interface: String, in pod: NetworkNamespace) throws -> ChildProcess {
        let tool = try ChildProcess(try #require(Self.programs), [command, interface], in: pod)
        #expect(try eventually { try ChildProcess.run("/sbin/ip", ["link", "show", interface], in: pod).output.contains("xdp") })
        return tool
    }

    @Test(.enabled(if: programs != nil, "needs hack/testbed/programs.c, which hack/test builds, and Linux 6.6"))
    func `the next tenant gets a clean NIC after a hostile tenant`() throws {
        let scene = try Scene()
        let before = try scene.text()
        let fresh = try NetworkNamespace.make()
        let first = try scene.attach(["nic0", "nic1"], to: fresh)
        let expected = try HostText.atRest { try Scene.view(fresh) }
        #expect(try scene.restore(first, from: fresh) == [])

        let pod = try NetworkNamespace.make()
        let returns = try scene.attach(["nic0", "nic1"], to: pod)
        var tools = [try Self.attach("attach", "net0", in: pod), try Self.attach("link", "net1", in: pod)]
        try Self.spoil(pod)
        let spoilt = try Scene.view(pod)
        for part in ["xdpgeneric", "mode DORMANT", "protodown on", "qdisc clsact", "altname uplink0", "above0@worst0", "promiscuity 1"] {
            #expect(spoilt.contains(part), "the attack itself has failed: \(part) is missing")
        }
        let problems = try scene.restore(returns, from: pod)
        #expect(problems == [])
        let changes = HostText.difference(before, try scene.text())
        #expect(changes.isEmpty, "\(changes)")

        let next = try NetworkNamespace.make()
        let second = try scene.attach(["nic0", "nic1"], to: next)
        let difference = HostText.difference(expected, try HostText.atRest { try Scene.view(next) })
        #expect(difference.isEmpty, "\(difference)")
        let count = try ChildProcess.run(try #require(Self.programs), ["count", "net0"], in: next).output
        #expect(count == "0 in, 0 out\n")
        #expect(try scene.restore(second, from: next) == [])
        for tool in tools { tool.stop() }
        tools = []
    }

    /// Everything that a pod with all capabilities over its namespace can change on an interface, and that survives a move.
    private static func spoil(_ pod: NetworkNamespace) throws {
        for (name, worst) in [("net0", "worst0"), ("net1", "worst1")] {
            try Scene.run(pod, "/sbin/tc", ["qdisc", "replace", "dev", name, "root", "pfifo", "limit", "7"])
            try? Scene.run(pod, "/sbin/tc", ["qdisc", "add", "dev", name, "clsact"])
            _ = try? Scene.run(pod, "/sbin/tc", ["filter", "add", "dev", name, "ingress", "matchall", "action", "drop"])
            try Scene.ip(pod, "link", "set", name, "down")
            try Scene.ip(pod, "link", "set", name, "name", worst)
            try Scene.ip(pod, "link", "set", worst, "address", "02:bd:bd:bd:00:0\(worst.suffix(1))", "mtu", "1300", "alias", "spoilt")
            try Scene.ip(pod, "link", "set", worst, "group", "77", "txqueuelen", "9", "promisc", "on", "allmulticast", "on", "arp", "off")
            try Scene.ip(pod, "link", "set", worst, "multicast", "off", "broadcast", "02:01:01:01:01:01", "mode", "dormant")
            try Scene.ip(pod, "link", "set", worst, "gso_max_size", "9000", "gso_max_segs", "5", "gro_max_size", "9000")
            try Scene.ip(pod, "link", "set", worst, "up")
            try Scene.ip(pod, "address", "add", "203.0.113.9/24", "dev", worst)
            try Scene.ip(pod, "route", "add", "0.0.0.0/1", "dev", worst, "metric", worst.suffix(1).description)
            try Scene.ip(pod, "neighbour", "add", "203.0.113.1", "lladdr", "02:00:00:00:00:99", "dev", worst, "nud", "permanent")
            try Scene.ip(pod, "maddress", "add", "33:33:00:00:00:99", "dev", worst)
            _ = try Scene.run(pod, "/sbin/ethtool", ["-K", worst, "gro", "off", "tso", "off", "sg", "off"])
            try pod.run { () throws(SystemError) in
                for (path, value) in [("ipv4/conf/\(worst)/forwarding", "1"), ("ipv6/conf/\(worst)/accept_ra", "2")] {
                    try Files.overwrite("/proc/sys/net/\(path)", value)
                }
            }
        }
        _ = try Scene.run(pod, "/sbin/ethtool", ["-L", "worst0", "rx", "1", "tx", "1"])
        try Scene.ip(pod, "link", "set", "worst1", "protodown", "on", "protodown_reason", "3", "on")
        try Scene.ip(pod, "link", "add", "link", "worst0", "name", "above0", "type", "macvlan", "mode", "bridge")
        try Scene.ip(pod, "link", "property", "add", "dev", "worst0", "altname", "uplink0")
        for name in ["worst0", "worst1"] {
            let size = try addNames(to: name, in: pod)
            #expect(size > 64 << 10, "one message about \(name) has \(size) bytes")
        }
    }

    /// Gives an interface the kernel's maximum number of names, 496 of 127 bytes.
    ///
    /// - Returns: the size of a message about the interface in bytes.
    private static func addNames(to name: String, in pod: NetworkNamespace) throws -> Int {
        try pod.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            guard let link = try socket.link(named: name) else { throw NetlinkError("find \(name)", code: ENODEV) }
            for number in 0..<600 {
                let names = ["\(name)-\(number)".padding(to: 127)]
                if try !socket.execute(all: [.addAlternativeNames(names, to: link.index)]).isEmpty { break }
            }
            return try socket.get(all: [.link(named: name)], absent: [])[0]?.payload.count ?? 0
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
    }

    @Test
    func `IPv6 settings are restored after the pod removed IPv6 with a small MTU`() throws {
        let scene = try Scene()
        try scene.host.run { () throws(SystemError) in try Files.overwrite("/proc/sys/net/ipv6/conf/nic0/accept_ra", "2") }
        let before = try scene.text()
        let pod = try NetworkNamespace.make()
        let returns = try scene.attach(["nic0"], to: pod)
        try Scene.ip(pod, "link", "set", "net0", "arp", "off", "mtu", "576")
        #expect(try scene.restore(returns, from: pod) == [])
        let changes = HostText.difference(before, try scene.text())
        #expect(changes.isEmpty, "\(changes)")
    }

    /// The settings in sysfs of a namespace's interfaces, by path.
    private static func sysfs(_ namespace: NetworkNamespace, doing command: String = "true") throws -> String {
        let files = "*/threaded */gro_flush_timeout */napi_defer_hard_irqs */queues/*/rps_* */queues/*/xps_* */queues/*/*/limit_m*"
        let script = "mount -t sysfs sysfs /sys && cd /sys/class/net && \(command) && { grep -H . \(files) 2>/dev/null; true; }"
        let result = try ChildProcess.run("/usr/bin/env", ["unshare", "-m", "sh", "-c", script], in: namespace)
        if result.status != 0 { throw SystemError("\(command): \(result.output)", "", code: result.status) }
        return result.output
    }

    @Test
    func `settings in sysfs that the pod changed are restored`() throws {
        let scene = try Scene()
        let queues = ["numtxqueues", "2", "numrxqueues", "2"]
        try Scene.run(
            scene.host, "/sbin/ip", ["link", "add", "nic2"] + queues + ["type", "veth", "peer", "name", "port2"] + queues)
        try Scene.ip(scene.host, "link", "set", "port2", "up")
        try Scene.ip(scene.host, "link", "set", "nic2", "up")
        let before = try Self.sysfs(
            scene.host,
            doing: """
                echo 20000 >nic2/gro_flush_timeout && echo 2 >nic2/napi_defer_hard_irqs && echo 3 >nic2/queues/rx-1/rps_cpus \
                    && echo 1 >nic2/queues/tx-0/xps_cpus && echo 256 >nic2/queues/rx-0/rps_flow_cnt
                """)
        #expect(before.contains("nic2/queues/tx-1/xps_cpus:") && before.contains("nic2/queues/rx-0/rps_flow_cnt:256"))
        let pod = try NetworkNamespace.make()
        let returns = try scene.attach(["nic2"], to: pod)
        let spoilt = try Self.sysfs(
            pod,
            doing: """
                echo 7777 >net2/gro_flush_timeout && echo 5 >net2/napi_defer_hard_irqs && echo 0 >net2/queues/rx-1/rps_cpus \
                    && echo 1 >net2/queues/rx-0/rps_cpus && echo 2 >net2/queues/tx-0/xps_cpus && echo 1 >net2/queues/tx-1/xps_cpus \
                    && echo 0 >net2/queues/rx-0/rps_flow_cnt && echo 4096 >net2/queues/rx-1/rps_flow_cnt
                """)
        #expect(spoilt.contains("net2/gro_flush_timeout:7777") && spoilt.contains("net2/queues/rx-1/rps_flow_cnt:4096"), "\(spoilt)")
        #expect(try scene.restore(returns, from: pod) == [])
        let changes = HostText.difference(before, try Self.sysfs(scene.host))
        #expect(changes.isEmpty, "\(changes)")
    }

    @Test
    func `an upper interface that a pod hid in another namespace keeps the NIC from the next pod`() throws {
        let scene = try Scene()
        let (pod, other) = (try NetworkNamespace.make(), try NetworkNamespace.make())
        var hidden: NetworkNamespace? = try NetworkNamespace.make()
        let returns = try scene.attach(["nic0"], to: pod)
        try Scene.ip(pod, "link", "add", "link", "net0", "name", "above0", "type", "macvlan", "mode", "bridge")
        if let hidden { try move("above0", from: pod, to: hidden) }
        let problems = try scene.restore(returns, from: pod)
        #expect(problems.map(\.code) == [.stacked], "\(problems)")
        // The interface has left the pod nevertheless.
        #expect(try scene.text().contains("nic0@port0"))
        // The kernel deletes the interface with the namespace, asynchronously.
        hidden = nil
        #expect(try eventually { try scene.restore(returns, from: pod).isEmpty })
        #expect(try scene.restore(try scene.attach(["nic0"], to: other), from: other) == [])
    }

    @Test(arguments: ["veth", "macvlan"])
    func `an interface that a pod substituted for a NIC, with its number and address, does not reach the host`(kind: String) throws {
        let scene = try Scene()
        let (pod, hidden) = (try NetworkNamespace.make(), try NetworkNamespace.make())
        let nic = kind == "veth" ? "nic0" : "nic1"
        let name = kind == "veth" ? "net0" : "net1"
        let before = try scene.text()
        let returns = try scene.attach([nic], to: pod)
        let link = try #require(
            try pod.run { () throws(NetlinkError) in
                try NetlinkSocket().link(named: name)
            } entering: {
                NetlinkError("enter", $0)
            })
        let address = try #require(link.address)
        // On the same lower interface, if the kernel allows it.
        if kind == "macvlan" { try Scene.ip(pod, "link", "add", "link", name, "name", "double", "type", "macvlan", "mode", "bridge") }
        try move(name, from: pod, to: hidden)
        if kind == "macvlan" {
            // Only a move gives an interface another number.
            let place = try NetworkNamespace.make()
            try move("double", from: pod, to: place)
            try move("double", from: place, to: pod, index: link.index)
            try Scene.ip(pod, "link", "set", "double", "address", "\(address)", "name", name)
        } else {
            try Scene.ip(
                pod, "link", "add", name, "index", "\(link.index)", "address", "\(address)", "type", "veth", "peer", "name", "own1")
        }
        let problems = try scene.restore(returns, from: pod)
        #expect(problems.map(\.code) == [.otherDevice], "\(problems)")
        #expect(try !scene.text().contains("\(nic)@"), "the pod's interface is on the host")
        // The pod cannot keep the NIC in its own namespace forever.
        try move(name, from: hidden, to: pod, index: link.index)
        #expect(try scene.restore(returns, from: pod) == [])
        let changes = HostText.difference(before, try scene.text())
        #expect(changes.isEmpty, "\(changes)")
    }

    @Test
    func `the processes with an open device are listed, up to a limit`() {
        let contexts = (1...9).map { RDMAContext(number: UInt32($0), process: UInt32($0)) } + [RDMAContext(number: 10)]
        let text = contexts.holders { $0 == 2 ? "ib_write_bw" : nil }
        #expect(text.hasPrefix("process 1, process 2 (ib_write_bw), process 3"))
        #expect(text.hasSuffix("1 more, 1 contexts of processes that nearside-nri cannot see; the device is restored after their close"))
    }

    func move(_ name: String, from namespace: NetworkNamespace, to other: NetworkNamespace, index: Int32? = nil) throws {
        try namespace.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            guard let link = try socket.link(named: name) else { throw NetlinkError("find \(name)", code: ENODEV) }
            var request = NetlinkRequest.change(link.index, LinkChange(namespace: other.descriptor.raw), "move \(name)")
            if let index {
                var builder = MessageBuilder(request.payload)
                builder.attribute(Self.newIndex, integer: index)
                request.payload = builder.body
            }
            if let failure = try socket.execute(all: [request]).first { throw failure.error }
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
    }

    /// IFLA_NEW_IFINDEX (linux/if_link.h).
    private static let newIndex = 49
}

extension String {
    fileprivate func padding(to count: Int) -> String { self + String(repeating: "x", count: Swift.max(0, count - self.count)) }
}
