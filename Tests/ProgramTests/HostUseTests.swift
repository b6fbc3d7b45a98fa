// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Journal
import JournalModel
import Linux
import NRI
import NRIMessages
import Netlink
import NetworkModel
import ResourceAPI
import SliceModel
import Testbed
import Testing

/// NICs that the host uses, with the real daemons.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct HostUseDaemonTests {
    private func ip(_ line: String, _ node: TestNode) throws {
        let ended = try ChildProcess.run("/sbin/ip", line.split(separator: " ").map(String.init), in: node.host)
        try #require(ended.status == 0, "\(line): \(ended.output)")
    }

    /// Replaces an interface by the end of a veth, which is stacked on no other.
    private func cable(_ name: String, _ node: TestNode) throws {
        try ip("link del \(name)", node)
        try ip("link add \(name) type veth peer name w-\(name)", node)
        for end in [name, "w-\(name)"] { try ip("link set \(end) up", node) }
    }

    /// The fabric's NICs of the machine.
    private func nics(_ machine: Machine) -> [Int] {
        machine.functions.indices.filter {
            machine.functions[$0].vendor == "15b3" && !machine.functions[$0].rdmaDevices.isEmpty && !machine.functions[$0].netdevs.isEmpty
        }
    }

    private func published(_ node: TestNode) throws -> Set<String> {
        Set(try node.api.slices().flatMap { $0.spec.devices ?? [] }.map(\.name))
    }

    @Test
    func `NICs in use by the host are not published, and the command shows the reason`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        let nics = nics(machine)
        // The second NIC is of another kind than the fabric: the host's storage network.
        machine.functions[nics[1]].device = "1017"
        var options = TestNode.Options(programs: Place.programs, machine: machine)
        options.nodeArguments = ["--node-addresses", "192.0.2.10"]
        let node = try TestNode(options)
        let names = nics.map { machine.functions[$0].netdevs[0].name }
        for place in [0, 2, 3] { try cable(names[place], node) }
        // The only route to the cluster's networks is not a default route, and no NIC has the node's address.
        try ip("addr add 192.0.2.10/32 dev lo", node)
        try ip("addr add 10.0.0.1/31 dev \(names[0])", node)
        try ip("route add 10.0.0.0/8 via 10.0.0.0", node)
        try node.api.remove("nodes", node.options.node)
        try node.api.add(
            "nodes",
            NodeObject(metadata: Metadata(name: node.options.node, uid: "node-uid"), spec: .init(podCIDRs: ["10.244.5.0/24"])))
        // The third NIC has an upper interface of the host.
        try ip("link add link \(names[2]) name store0 type macvlan", node)
        try ip("addr add 10.60.0.1/24 dev store0", node)
        try ip("link set store0 up", node)
        // The fourth NIC has the default route, over a next hop object that routes do not show.
        try node.host.run { () throws(SystemError) in try Files.write("/proc/sys/net/ipv4/nexthop_compat_mode", "0") }
        try ip("addr add 10.9.3.1/24 dev \(names[3])", node)
        try ip("nexthop add id 7 via 10.9.3.2 dev \(names[3])", node)
        try ip("route add default nhid 7", node)
        try node.startInjector()
        try node.startNode()
        let devices = nics.map { machine.functions[$0].sliceName }
        let isPublished = try eventually { try published(node).contains(devices[4]) }
        #expect(isPublished)
        #expect(try published(node).intersection(devices) == Set(devices.dropFirst(4)))
        for (place, device) in devices.prefix(4).enumerated() {
            try node.addClaim("c\(place)", devices: [device])
            #expect(throws: KubeletPeer.Failure.self, "\(device)") { try node.prepare("c\(place)") }
        }
        let told = try ChildProcess.run("\(Place.programs)/nearside", ["devices"], in: node.host).output
        for reason in [
            "the host's route 10.0.0.0/8 via 10.0.0.0 uses this interface", "interface store0 of the host is stacked on this interface",
            "the host's default route uses this interface",
        ] { #expect(told.contains(reason), "\(told)") }
    }

    @Test
    func `a NIC on the host's route to its pods is withdrawn when the Node gets the networks of its pods`() throws {
        let node = try TestNode.hgxA100()
        let nics = nics(node.options.machine)
        let name = node.options.machine.functions[nics[0]].netdevs[0].name
        let devices = nics.map { node.options.machine.functions[$0].sliceName }
        try cable(name, node)
        try ip("route add 10.244.5.0/24 dev \(name)", node)
        func replaceNode(_ networks: [String]?) throws {
            try node.api.remove("nodes", node.options.node)
            try node.api.add("nodes", NodeObject.named(node.options.node, podCIDRs: networks))
        }
        try replaceNode(nil)
        try node.startInjector()
        try node.startNode()
        #expect(try eventually { try published(node).isSuperset(of: devices) })
        // The controller manager sets the networks.
        try replaceNode(["10.244.5.0/24"])
        #expect(try eventually { try !published(node).contains(devices[0]) }, "\(node.log("node.log"))")
        #expect(try published(node).isSuperset(of: devices.dropFirst()))
        try node.addClaim("a", devices: [devices[0]])
        #expect(throws: KubeletPeer.Failure.self) { try node.prepare("a") }
        // The networks never change, and the Node is not read again.
        let reads = node.api.requests.count { $0 == "GET /api/v1/nodes/\(node.options.node)" }
        usleep(2_500_000)
        #expect(node.api.requests.count { $0 == "GET /api/v1/nodes/\(node.options.node)" } == reads)
    }

    @Test
    func `a policy publishes a storage NIC that it selects, but no NIC with the default route`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        let nics = nics(machine)
        machine.functions[nics[1]].device = "1017"
        var options = TestNode.Options(programs: Place.programs, machine: machine)
        let addresses = nics.map { machine.functions[$0].address.description }
        options.topologyPolicy = """
            {"apiVersion": "nearside/v1alpha1", "kind": "TopologyPolicy",
             "roles": {"storage": ["address=\(addresses[1])", "address=\(addresses[3])"]}}
            """
        let node = try TestNode(options)
        let name = machine.functions[nics[3]].netdevs[0].name
        try cable(name, node)
        try ip("addr add 10.9.3.1/24 dev \(name)", node)
        try ip("route add default via 10.9.3.2", node)
        try node.startInjector()
        try node.startNode()
        let devices = nics.map { machine.functions[$0].sliceName }
        let isPublished = try eventually { try published(node).contains(devices[0]) }
        #expect(isPublished)
        #expect(try published(node).contains(devices[1]))
        #expect(!(try published(node).contains(devices[3])))
    }

    @Test
    func `a NIC with an upper interface in another network namespace is not attached until that interface ends`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let name = try #require(node.options.machine.functions.first { $0.sliceName == TestNode.nic }?.netdevs.first?.name)
        try cable(name, node)
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        try node.prepare("a")
        // As macvlans of pods by another network plugin.
        let other = try NetworkNamespace.make()
        try ip("link add link \(name) name store0 type macvlan mode bridge", node)
        try node.host.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            guard let link = try socket.link(named: "store0") else { throw NetlinkError("find store0", code: ENODEV) }
            try socket.change(link.index, LinkChange(namespace: other.descriptor.raw), "hide store0")
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        let error = #expect(throws: RPCFailure.self) { try node.runtime?.create(NRIContainer(), in: pod) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("an interface of another network namespace is stacked on this interface"), "\(text)")
        #expect(try !node.hasInterface("net1", in: pod))
        _ = try ChildProcess.run("/sbin/ip", ["link", "del", "store0"], in: other)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod, address: nil))
        try node.runtime?.stop(pod)
        try node.unprepare("a")
    }

    @Test
    func `a NIC that the host uses, or that was replaced, is not attached even if a plan has it`() throws {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.injectorArguments = ["--node-addresses", "10.7.0.1", "--api-server", "10.96.0.1"]
        let node = try TestNode(options)
        defer { node.removeAllPods() }
        let function = try #require(node.options.machine.functions.first { $0.sliceName == TestNode.nic })
        let name = try #require(function.netdevs.first?.name)
        try cable(name, node)
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        func refusal() throws -> String {
            let error = #expect(throws: RPCFailure.self) { try node.runtime?.create(NRIContainer(), in: pod) }
            #expect(try !node.hasInterface("net1", in: pod))
            return error.map { "\($0)" } ?? ""
        }
        try ip("addr add 10.9.0.1/24 dev \(name)", node)
        try ip("nexthop add id 7 via 10.9.0.2 dev \(name)", node)
        for (add, remove, reason) in [
            ("route add default nhid 7", "route del default", "the host's default route uses this interface"),
            (
                "link add link \(name) name store0 type macvlan", "link del store0",
                "interface store0 of the host is stacked on this interface"
            ),
            // A node without a default route, whose address is on no NIC.
            (
                "route add 10.96.0.0/12 via 10.9.0.2", "route del 10.96.0.0/12",
                "the host reaches the API server 10.96.0.1 over this interface"
            ),
            ("addr add 10.7.0.1/24 dev \(name)", "addr del 10.7.0.1/24 dev \(name)", "this interface serves the node's address 10.7.0.1"),
        ] {
            try ip(add, node)
            try node.runtime?.run(pod)
            let text = try refusal()
            #expect(text.contains("the host uses the interface: \(reason)"), "\(text)")
            try ip(remove, node)
        }
        // A plan names another device, or an interface that the host uses.
        let journal = JournalFolder(node.scratch("journal"), states: node.scratch("states"), for: .node)
        let plan = try #require(try journal.plan("uid-a"))
        var forged = plan
        forged.devices[0].interface?.parentDevice = "0000:0c:00.0"
        try journal.write(forged)
        let foreign = try refusal()
        #expect(foreign.contains("the interface belongs to no device, but the plan has device 0000:0c:00.0"), "\(foreign)")
        let uplink = try #require(
            node.options.machine.functions.last { !$0.netdevs.isEmpty && $0.sliceName != TestNode.nic }?.netdevs.first?.name)
        try cable(uplink, node)
        try ip("addr add 10.8.0.1/24 dev \(uplink)", node)
        try ip("route add default via 10.8.0.2", node)
        forged = plan
        forged.devices[0].interface?.hostName = uplink
        try journal.write(forged)
        let taken = try refusal()
        #expect(taken.contains("the host uses the interface: the host's default route uses this interface"), "\(taken)")
        #expect(try ChildProcess.run("/sbin/ip", ["route"], in: node.host).output.contains("default via 10.8.0.2 dev \(uplink)"))
        try journal.write(plan)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod, address: "10.9.0.1/24"))
        try node.runtime?.stop(pod)
        try node.unprepare("a")
    }
}
