// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import KubeletAPI
import Linux
import ResourceAPI
import Testbed
import Testing

private let programs = Place.programs

/// A claim and its pod with a real container runtime.
@Suite(.serialized, .enabled(if: Place.canRunContainers, "\(Place.containersReason)"))
struct ContainerdTests {
    /// One NIC with an interface and an RDMA device whose node has the numbers of /dev/null.
    static var machine: Machine {
        var machine = Machine(name: "one NIC")
        machine.functions = [
            PCIFunction(
                address: PCIAddress(domain: 0, bus: 0x10, device: 0, function: 0), vendor: "15b3", device: "1021",
                classCode: "020000", path: ["pci0000:10"], numaNode: 0, driver: "mlx5_core",
                netdevs: [Netdev(name: "nic0")],
                rdmaDevices: [
                    RDMADevice(
                        name: "mlx5_0", ports: [RDMAPort(number: 1, state: "ACTIVE", linkLayer: "Ethernet", rate: 400)],
                        charDevices: [CharDevice(path: "/dev/infiniband/uverbs0", major: 1, minor: 3)])
                ])
        ]
        return machine
    }

    static func claim(_ node: TestNode, pod: String) -> ResourceClaim {
        let config = AllocationConfig(
            source: .fromClaim,
            opaque: OpaqueConfig(
                driver: node.options.driver,
                parameters: .object([
                    "interface": .object([
                        "name": .string("net1"), "mtu": .integer(1400),
                        "addresses": .array([.string("192.0.2.7/24"), .string("2001:db8::7/64")]),
                    ]),
                    "routes": .array([
                        .object(["destination": .string("198.51.100.0/24"), "gateway": .string("192.0.2.1")])
                    ]),
                ])))
        return ResourceClaim(
            metadata: Metadata(name: "nic", namespace: "default", uid: "claim-\(pod)"),
            status: ResourceClaimStatus(
                allocation: AllocationResult(
                    devices: DeviceAllocation(
                        results: [
                            AllocatedDevice(
                                request: "nic", driver: node.options.driver, pool: node.options.node,
                                device: "pci-0000-10-00-0")
                        ], config: [config])),
                reservedFor: [ConsumerReference(resource: "pods", name: pod, uid: pod)]))
    }

    @Test(arguments: ContainerdPeer.Version.allCases)
    func `a pod in containerd gets its interface and its device node, and the host gets them back`(version: ContainerdPeer.Version) throws {
        var options = TestNode.Options(programs: programs, machine: Self.machine)
        options.nodeArguments = ["--device-metadata"]
        let node = try TestNode(options)
        let containerd = try ContainerdPeer(version, of: node)
        // The runtime's own traffic is excluded from the comparison.
        let before = try link("nic0", node)
        try node.startInjector(nriSocket: containerd.nriSocket)
        try node.startNode()
        try node.api.add("resourceclaims/default", Self.claim(node, pod: "pod-1"))
        #expect(eventually { node.log("nri.log").contains("synchronised") }, "\(node.log("nri.log"))")

        let devices = try #require(try node.kubelet?.prepare(namespace: "default", name: "nic", uid: "claim-pod-1"))
        #expect(devices.map(\.deviceName) == ["pci-0000-10-00-0"])
        let ids = devices.flatMap(\.cdiDeviceIds)
        #expect(ids.count == 1)

        let sandbox = try containerd.runSandbox(name: "worker", uid: "pod-1")
        let with = try containerd.startContainer("with", in: sandbox, cdiDevices: ids)
        let without = try containerd.startContainer("without", in: sandbox, cdiDevices: [])

        let addresses = try containerd.execute(["ip", "address", "show", "net1"], in: with).output
        #expect(addresses.contains("192.0.2.7/24"))
        #expect(addresses.contains("2001:db8::7/64"))
        #expect(addresses.contains("mtu 1400"))
        #expect(addresses.contains("UP"))
        let routes = try containerd.execute(["ip", "route"], in: with).output
        #expect(routes.contains("198.51.100.0/24 via 192.0.2.1"))

        // The pod can read the attributes of its devices at the path of KEP-5304.
        let told = try containerd.execute(
            ["cat", "/var/run/kubernetes.io/dra-device-attributes/resourceclaims/nic/nic/dra.nearside-metadata.json"], in: with
        ).output
        #expect(told.contains(#""networkData":{"#) && told.contains(#""interfaceName":"net1""#) && told.contains("192.0.2.7/24"), "\(told)")
        #expect(
            told.contains(#""attributes":{"#) && told.contains(#""resource.kubernetes.io/pciBusID":{"string":"0000:10:00.0"}"#), "\(told)")

        // Only the container that references the claim has the node, and can use it.
        #expect(
            try containerd.execute(["stat", "-c", "%F %t:%T", "/dev/infiniband/uverbs0"], in: with).output == "character special file 1:3\n"
        )
        #expect(try containerd.execute(["sh", "-c", "echo x > /dev/infiniband/uverbs0"], in: with).status == 0)
        #expect(try containerd.execute(["ls", "/dev/infiniband"], in: without).status != 0)
        #expect(try link("nic0", node).isEmpty, "the interface is not on the host while the pod has it")

        try containerd.removeSandbox(sandbox)
        try node.kubelet?.unprepare(namespace: "default", name: "nic", uid: "claim-pod-1")
        #expect(try eventually { try link("nic0", node) == before })
        for folder in ["cdi", "journal/workloads", "journal/plans"] { #expect(Files.list(node.scratch(folder)).isEmpty) }
        #expect(Files.list(node.scratch("states/states")).isEmpty)
    }

    @Test(arguments: ContainerdPeer.Version.allCases)
    func `without nearside-nri the gate holds a container back, and lets it start after the restart`(
        version: ContainerdPeer.Version
    ) throws {
        let node = try TestNode(.init(programs: programs, machine: Self.machine))
        let containerd = try ContainerdPeer(version, of: node)
        try node.startInjector(nriSocket: containerd.nriSocket)
        try node.startNode()
        try node.api.add("resourceclaims/default", Self.claim(node, pod: "pod-2"))
        #expect(eventually { node.log("nri.log").contains("synchronised") })
        let ids = try #require(try node.kubelet?.prepare(namespace: "default", name: "nic", uid: "claim-pod-2")).flatMap(\.cdiDeviceIds)

        node.kill(injector: SIGKILL)
        let sandbox = try containerd.runSandbox(name: "worker", uid: "pod-2")
        // The runtime continued without the plugin. The container waits for the gate, and the gate for nearside-nri, which
        // restarts in the meantime.
        let restart = try Restart(node, nriSocket: containerd.nriSocket)
        try restart.begin(afterMilliseconds: 1500)
        let container = try containerd.startContainer("with", in: sandbox, cdiDevices: ids)
        try restart.finish()
        #expect(try containerd.execute(["ip", "address", "show", "net1"], in: container).output.contains("192.0.2.7/24"))
        try containerd.removeSandbox(sandbox)
        try node.kubelet?.unprepare(namespace: "default", name: "nic", uid: "claim-pod-2")
        #expect(try !link("nic0", node).isEmpty)
    }

    @Test(arguments: ContainerdPeer.Version.allCases)
    func `a container whose claim is not prepared does not start`(version: ContainerdPeer.Version) throws {
        let node = try TestNode(.init(programs: programs, machine: Self.machine))
        let containerd = try ContainerdPeer(version, of: node)
        try node.startInjector(nriSocket: containerd.nriSocket)
        try node.startNode()
        try node.api.add("resourceclaims/default", Self.claim(node, pod: "pod-3"))
        #expect(eventually { node.log("nri.log").contains("synchronised") })
        let ids = try #require(try node.kubelet?.prepare(namespace: "default", name: "nic", uid: "claim-pod-3")).flatMap(\.cdiDeviceIds)
        // As after a reboot that emptied the journal, but not a CDI folder elsewhere.
        try Files.remove(node.scratch("journal/plans/claim-pod-3.json"))
        let sandbox = try containerd.runSandbox(name: "worker", uid: "pod-3")
        #expect(throws: ContainerdPeer.Failure.self) {
            try containerd.startContainer("with", in: sandbox, cdiDevices: ids)
        }
        #expect(try !link("nic0", node).isEmpty, "the interface never left the host")
        try containerd.removeSandbox(sandbox)
    }

    @Test(arguments: ContainerdPeer.Version.allCases)
    func `a container that names no claim also waits for the pod's address, through the plugin's hook`(
        version: ContainerdPeer.Version
    ) throws {
        var options = TestNode.Options(programs: programs, machine: Self.machine)
        options.injectorCapabilities = TestNode.leaseCapabilities
        let node = try TestNode(options)
        let containerd = try ContainerdPeer(version, of: node)
        let server = try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.20")
        try node.startInjector(nriSocket: containerd.nriSocket)
        try node.startNode()
        var claim = Self.claim(node, pod: "pod-4")
        claim.status?.allocation?.devices.config = [
            AllocationConfig(
                source: .fromClaim,
                opaque: OpaqueConfig(
                    driver: node.options.driver,
                    parameters: .object(["interface": .object(["name": .string("net1"), "dhcp": .bool(true)])])))
        ]
        try node.api.add("resourceclaims/default", claim)
        #expect(eventually { node.log("nri.log").contains("synchronised") })
        _ = try #require(node.kubelet).prepare(namespace: "default", name: "nic", uid: "claim-pod-4")
        let sandbox = try containerd.runSandbox(name: "worker", uid: "pod-4")
        // The server answers long after the container was created.
        try server.start(afterSeconds: 2)
        let container = try containerd.startContainer("main", in: sandbox, cdiDevices: [])
        #expect(try containerd.execute(["ip", "address", "show", "net1"], in: container).output.contains("192.0.2.20/24"))
        try containerd.removeSandbox(sandbox)
        try node.kubelet?.unprepare(namespace: "default", name: "nic", uid: "claim-pod-4")
        #expect(try !link("nic0", node).isEmpty)
    }

    private func link(_ name: String, _ node: TestNode) throws -> String {
        let result = try ChildProcess.run("/sbin/ip", ["-d", "address", "show", name], in: node.host)
        return result.status == 0 ? result.output : ""
    }
}

/// Restarts `nearside-nri` after a delay, on another thread.
private final class Restart: @unchecked Sendable {
    private let node: TestNode
    private let socket: String
    private let ends: (Descriptor, Descriptor)
    private var failure: (any Error)?

    init(_ node: TestNode, nriSocket: String) throws {
        self.node = node
        socket = nriSocket
        ends = try UnixSocket.pair()
    }

    func begin(afterMilliseconds delay: Int) throws {
        try KernelThread.start { [self] in
            usleep(useconds_t(delay * 1000))
            do { try node.startInjector(nriSocket: socket) } catch { failure = error }
            try? UnixSocket.send([1], to: ends.0)
        }
    }

    func finish() throws {
        _ = try UnixSocket.receive(from: ends.1)
        if let failure { throw failure }
    }
}
