// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import NRIMessages
import Netlink
import NetworkModel
import ResourceAPI
import Testbed
import Testing

/// Limits for DHCP clients and for servers' answers.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct LeaseConfinementTests {
    private func start(
        _ arguments: [String] = [], environment: [String] = [], runtimeTimeout: Duration = .seconds(60)
    ) throws -> TestNode {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.injectorCapabilities = TestNode.leaseCapabilities
        options.injectorArguments = ["--gate", "\(Place.programs)/nearside-gate"] + arguments
        options.injectorEnvironment = environment
        options.runtimeTimeout = runtimeTimeout
        let node = try TestNode(options)
        try node.startInjector()
        try node.startNode()
        return node
    }

    private func prepare(_ node: TestNode, _ interface: [String: JSONValue], devices: [String] = [TestNode.nic]) throws {
        let driver = node.options.driver
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(
                    name: "first", namespace: "default", uid: "uid-first",
                    ownerReferences: [OwnerReference(apiVersion: "v1", kind: "Pod", name: "pod-1", uid: "pod-1")]),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: devices.map {
                                AllocatedDevice(request: "nic", driver: driver, pool: node.options.node, device: $0)
                            },
                            config: [
                                AllocationConfig(
                                    source: .fromClaim,
                                    opaque: OpaqueConfig(driver: driver, parameters: .object(["interface": .object(interface)])))
                            ])),
                    reservedFor: [ConsumerReference(resource: "pods", name: "pod-1", uid: "pod-1")])))
        try node.prepare("first")
    }

    /// The child processes of nearside-nri.
    private func clients(_ node: TestNode) -> [Int32] {
        let process = node.injectorDaemon?.identifier ?? 0
        return Files.list("/proc/\(process)/task").flatMap { thread in
            ((try? Files.readText("/proc/\(process)/task/\(thread)/children")) ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    @Test
    func `a DHCP client runs in the pod's namespace as a separate user, without capabilities or a way to get them`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20", v6: "2001:db8:5::20,2001:db8:5::20")
        try server.start()
        try prepare(node, ["name": .string("net1"), "dhcp": .bool(true), "dhcp6": .bool(true)])
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        let container = try #require(node.runtime)
        #expect(
            eventually { (try? container.create(NRIContainer(), in: pod).adjust.hooks.createRuntime.isEmpty) == true },
            "\(node.log("nri.log")) \(server.log)")
        let processes = clients(node)
        #expect(processes.count == 2)
        let daemon = try Files.readText("/proc/\(node.injectorDaemon?.identifier ?? 0)/status").split(separator: "\n")
        let count = daemon.first { $0.hasPrefix("Seccomp_filters:") }?.split(separator: "\t").last
        let filters = try #require(count.flatMap { Int($0) })
        for process in processes {
            let lines = try Files.readText("/proc/\(process)/status").split(separator: "\n").map {
                $0.split(whereSeparator: \.isWhitespace)
            }
            func field(_ name: String) -> [Substring] { lines.first { $0.first == "\(name):" }.map { Array($0.dropFirst()) } ?? [] }
            #expect(field("Uid") == ["65534", "65534", "65534", "65534"] && field("Gid") == ["65534", "65534", "65534", "65534"])
            #expect(field("Groups").isEmpty)
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] { #expect(field(set) == ["0000000000000000"], "\(set)") }
            #expect(field("NoNewPrivs") == ["1"] && field("Threads") == ["1"])
            // nearside-nri's filter and the client's own.
            #expect(field("Seccomp") == ["2"] && field("Seccomp_filters").first.flatMap { Int($0) } == filters + 1)
            #expect(try NetworkNamespace(path: "/proc/\(process)/ns/net").identity == node.namespace(of: pod).identity)
            let limits = try Files.readText("/proc/\(process)/limits")
            for name in ["Max file size", "Max processes", "Max core file size"] {
                let line = limits.split(separator: "\n").first { $0.hasPrefix(name) }
                #expect(line?.dropFirst(name.count).split(separator: " ").prefix(2) == ["0", "0"], "\(name)")
            }
            // /dev/null twice, the pipe and the socket.
            #expect(Files.list("/proc/\(process)/fd").count <= 5)
        }
        // The clients end with the daemon.
        node.kill(injector: SIGKILL)
        #expect(eventually { processes.allSatisfy { !Files.exists("/proc/\($0)/exe") || Files.linkTarget("/proc/\($0)/exe") == nil } })
        try node.startInjector()
        try node.runtime?.stop(pod)
        #expect(eventually { clients(node).isEmpty })
    }

    @Test
    func `a server's routes cannot redirect the pod's traffic, and refused parts are logged`() throws {
        let node = try start(["--cluster-network", "10.96.0.0/12"])
        defer { node.removeAllPods() }
        let routes = ["0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/0", "10.96.0.0/12", "10.244.0.0/16", "10.1.0.0/16", "203.0.113.0/24"]
        let option = (["121"] + routes.flatMap { [$0, "192.0.2.1"] }).joined(separator: ",")
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20", options: [option, "3,192.0.2.1"])
        try server.start()
        try prepare(
            node, ["name": .string("net1"), "dhcp": .bool(true), "dhcpRoutes": .array([.string("10.0.0.0/8")])])
        let pod = try node.makePod("one", uid: "pod-1")
        let inside = try node.namespace(of: pod)
        for command in [
            "link add eth0 type veth peer name peer0", "link set eth0 up", "link set peer0 up", "address add 10.244.1.5/24 dev eth0",
            "route add 10.244.0.0/16 via 10.244.1.1", "route add default via 10.244.1.1",
        ] {
            let (status, output) = try ChildProcess.run("/sbin/ip", command.split(separator: " ").map(String.init), in: inside)
            #expect(status == 0, "\(command): \(output)")
        }
        try node.runtime?.run(pod)
        func table() -> String { (try? ChildProcess.run("/sbin/ip", ["-4", "route"], in: inside).output) ?? "" }
        #expect(
            eventually { table().contains("10.1.0.0/16 via 192.0.2.1 dev net1") },
            "\(table()) \(node.log("nri.log")) \(server.log)")
        let own = table().split(separator: "\n").filter { $0.contains("net1") }
        #expect(own.count == 2 && own.contains { $0.hasPrefix("192.0.2.0/24 ") }, "\(own)")
        let path = try ChildProcess.run("/sbin/ip", ["route", "get", "10.96.0.1"], in: inside).output
        #expect(path.contains("dev eth0"), "\(path)")
        let log = node.log("nri.log")
        for route in routes where route != "10.1.0.0/16" { #expect(log.contains("\(route) via 192.0.2.1: "), "\(route)") }
        try node.runtime?.stop(pod)
    }

    @Test
    func `an address in the cluster's networks is not set, and the container waits`() throws {
        let node = try start(["--cluster-network", "192.0.2.0/25"])
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20")
        try server.start()
        try prepare(node, ["name": .string("net1"), "dhcp": .bool(true)])
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(
            eventually { node.log("nri.log").contains("192.0.2.20/24 overlaps the cluster's network 192.0.2.0/25") },
            "\(node.log("nri.log"))")
        #expect(try !node.interfaces(pod).contains("192.0.2.20"))
        #expect(try node.runtime?.create(NRIContainer(), in: pod).adjust.hooks.createRuntime.count == 1)
        try node.runtime?.stop(pod)
    }

    @Test
    func `an address in the network of the cluster's DNS is not set, without a configured network`() throws {
        // kube-dns has an address in the same 256 addresses as the API server.
        let node = try start(environment: ["KUBERNETES_SERVICE_HOST=192.0.2.129"])
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20", options: ["1,255.255.255.240"])
        try server.start()
        try prepare(node, ["name": .string("net1"), "dhcp": .bool(true)])
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(
            eventually { node.log("nri.log").contains("192.0.2.20/28 overlaps the cluster's network 192.0.2.0/24") },
            "\(node.log("nri.log"))")
        #expect(try !node.interfaces(pod).contains("192.0.2.20"))
        try node.runtime?.stop(pod)
    }

    @Test
    func `a lease that overlaps the pod's own address is refused, and the pod's routes use no memory of nearside-nri`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20")
        try prepare(node, ["name": .string("net1"), "dhcp": .bool(true)])
        let pod = try node.makePod("one", uid: "pod-1")
        let inside = try node.namespace(of: pod)
        // The pod's own network as Calico configures it.
        for command in [
            "link add eth0 type veth peer name peer0", "link set eth0 up", "link set peer0 up", "address add 192.0.2.77/32 dev eth0",
            "route add 169.254.1.1 dev eth0", "route add default via 169.254.1.1",
        ] {
            let (status, output) = try ChildProcess.run("/sbin/ip", command.split(separator: " ").map(String.init), in: inside)
            #expect(status == 0, "\(command): \(output)")
        }
        try node.runtime?.run(pod)
        let process = try #require(node.injectorDaemon?.identifier)
        let before = try node.peak(of: process)
        try inside.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            guard let link = try socket.link(named: "eth0") else { throw NetlinkError("find eth0", code: ENODEV) }
            for high in UInt8(0)..<200 {
                let failures = try socket.execute(
                    all: (0..<1000).compactMap { low in
                        IPAddress(bytes: [10, high, UInt8(low / 250), UInt8(low % 250)]).map { address in
                            NetlinkRequest.set(
                                Route(
                                    destination: IPPrefix(address: address, length: 32), isV6: false, interface: link.index, scope: 253))
                        }
                    })
                if let failure = failures.first { throw failure.error }
            }
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
        try server.start()
        #expect(
            eventually { node.log("nri.log").contains("192.0.2.20/24 overlaps the cluster's network 192.0.2.77/32") },
            "\(node.log("nri.log"))")
        #expect(try node.peak(of: process) - before < 16 << 20)
        try node.runtime?.stop(pod)
    }

    @Test
    func `a pod with sixteen hanging DHCP clients is stopped within the runtime's time-out`() throws {
        let node = try start()
        defer { node.removeAllPods() }
        let devices = node.options.machine.functions.filter { $0.netdevs.contains { $0.name.hasPrefix("ib") } }.prefix(8).map {
            "pci-" + "\($0.address)".split { $0 == ":" || $0 == "." }.joined(separator: "-")
        }
        #expect(devices.count == 8)
        let before = try node.hostText()
        try prepare(node, ["name": .string("net"), "dhcp": .bool(true), "dhcp6": .bool(true)], devices: Array(devices))
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(eventually { clients(node).count == 16 }, "\(clients(node)) \(node.log("nri.log"))")
        // A stopped process ignores the request to end.
        for process in clients(node) { kill(process, SIGSTOP) }
        let start = ContinuousClock.now
        try node.runtime?.stop(pod)
        // NRI's plugin request time-out of containerd and CRI-O.
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(clients(node).isEmpty)
        try node.expectUnchanged(since: before)
    }
}
