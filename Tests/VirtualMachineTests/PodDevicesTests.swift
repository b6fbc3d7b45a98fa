// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import JournalModel
import Linux
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Moves into pods and back with devices that only a kernel with hardware has. Part of the other suite: one machine, one test at a time.
extension LiveKernelTests {
    private func netdevs() throws -> [String] {
        let machine = try Room.snapshot()
        return try Room.layout.get().nics.prefix(2).compactMap { machine[$0]?.netdevs.first?.name }
    }

    private func run(_ words: [String], in pod: NetworkNamespace) throws -> String {
        try ChildProcess.run("/usr/bin/env", words, in: pod).output
    }

    /// Two NICs with their RDMA devices, to be moved into a pod.
    private func orders(_ network: PodNetwork) throws -> [PodNetwork.AttachRequest] {
        let machine = try Room.snapshot()
        let isMoved = try network.movesRDMA()
        return try Room.layout.get().nics.prefix(2).enumerated().map { number, address in
            let function = try #require(machine[address])
            let netdev = try #require(function.netdevs.first)
            return PodNetwork.AttachRequest(
                device: address.description, plan: InterfacePlan(hostName: netdev.name, name: "net\(number)"),
                record: try network.records([netdev.name])[0], rdmaDevice: isMoved ? try #require(function.rdmaDevices.first?.name) : nil)
        }
    }

    private func entry(_ order: PodNetwork.AttachRequest, _ index: Int32?) -> PodNetwork.RestoreRequest {
        var attachment = Attachment(
            phase: .attached, device: order.device, podUID: "", sandbox: "", namespacePath: "",
            namespace: FileIdentity(device: 0, inode: 0),
            podName: order.plan?.name, host: order.plan?.child == nil ? order.record : nil)
        attachment.podIndex = index
        attachment.rdmaDevice = order.rdmaDevice
        attachment.vrf = order.plan?.vrf?.name
        return PodNetwork.RestoreRequest(attachment)
    }

    @Test(arguments: [true, false])
    func `in the exclusive mode RDMA devices move with their interfaces and are restored with them`(dies: Bool) throws {
        let names = try netdevs()
        try Room.setSharing("exclusive")
        defer { try? Room.setSharing("shared") }
        try Room.bringUp(names)
        defer { Room.bringDown(names) }
        let network = try PodNetwork()
        #expect(try network.movesRDMA())
        let before = try Room.hostText()
        let orders = try orders(network)
        do {
            let pod = try NetworkNamespace.make()
            let results = try network.attach(orders, to: pod)
            let entries = zip(orders, results).map { entry($0, $1.index) }
            #expect(try network.areAttached(entries, in: pod))
            let seen = try run(["rdma", "dev"], in: pod)
            let left = try Room.run("rdma dev")
            for order in orders {
                let name = try #require(order.rdmaDevice)
                #expect(seen.contains(" \(name):") && !left.contains(" \(name):"), "\(seen)\n\(left)")
            }
            #expect(try run(["ip", "-brief", "link"], in: pod).contains("net1"))
            if !dies { #expect(network.restore(entries, from: pod).isEmpty) }
        }
        // The last reference to the namespace has ended: the kernel returns its devices asynchronously.
        let entries = orders.map { entry($0, nil) }
        #expect(eventually { network.restore(entries, from: nil).isEmpty })
        try Room.expectUnchanged(before)
    }

    @Test
    func `in the shared mode only the interface moves`() throws {
        let names = try netdevs()
        try Room.setSharing("shared")
        try Room.bringUp(names)
        defer { Room.bringDown(names) }
        let network = try PodNetwork()
        #expect(try !network.movesRDMA())
        let before = try Room.hostText()
        let orders = try orders(network)
        let pod = try NetworkNamespace.make()
        let results = try network.attach(orders, to: pod)
        #expect(try run(["rdma", "dev"], in: pod) == Room.run("rdma dev"))
        #expect(network.restore(zip(orders, results).map { entry($0, $1.index) }, from: pod).isEmpty)
        try Room.expectUnchanged(before)
    }

    @Test
    func `VLANs, ipvlans and VRFs are created in the pod, and the host's interface stays unchanged`() throws {
        let layout = try Room.layout.get()
        try Room.run("modprobe -a 8021q ipvlan vrf dummy")
        defer { _ = try? Room.run("modprobe -r 8021q") }
        let name = try #require(try Room.snapshot()[layout.nics[0]]?.netdevs.first?.name)
        try Room.bringUp([name])
        defer { Room.bringDown([name]) }
        try Room.run("ip link add nsdummy type dummy")
        try Room.run("ip address add 10.60.0.1/24 dev nsdummy")
        defer { _ = try? Room.run("ip link del nsdummy") }
        let before = try Room.hostText()
        let network = try PodNetwork()
        let parent = try network.records([name], isTaken: false)[0]
        func child(_ device: String, _ plan: ChildInterface, _ address: String) throws -> PodNetwork.AttachRequest {
            var interface = InterfacePlan(hostName: name, name: device, addresses: [try #require(IPPrefix(parsing: address))])
            interface.child = plan
            interface.vrf = VRF(name: "blue", table: 77)
            return PodNetwork.AttachRequest(device: device, plan: interface, record: parent)
        }
        var moved = InterfacePlan(hostName: "nsdummy", name: "net9")
        moved.vrf = VRF(name: "blue", table: 77)
        let orders = [
            try child("net0", ChildInterface(kind: .vlan, vlan: 7), "10.61.0.1/24"),
            try child("net1", ChildInterface(kind: .ipvlan, mode: 0), "10.62.0.1/24"),
            PodNetwork.AttachRequest(device: "net9", plan: moved, record: try network.records(["nsdummy"])[0]),
        ]
        let pod = try NetworkNamespace.make()
        let results = try network.attach(orders, to: pod)
        let links = try run(["ip", "-d", "link"], in: pod)
        for part in ["vlan protocol 802.1Q id 7", "ipvlan  mode l2", "vrf table 77", "master blue"] {
            #expect(links.contains(part), "\(links)")
        }
        let routes = try run(["ip", "route", "show", "table", "77"], in: pod)
        for part in ["10.60.0.0/24 dev net9", "10.61.0.0/24 dev net0", "10.62.0.0/24 dev net1"] {
            #expect(routes.contains(part), "\(routes)")
        }
        #expect(network.restore(zip(orders, results).map { entry($0, $1.index) }, from: pod).isEmpty)
        #expect(try run(["ip", "-brief", "link"], in: pod).split(separator: "\n").count == 1, "only the loopback is left")
        try Room.expectUnchanged(before)
    }

    @Test
    func `if software RDMA cannot follow into a namespace, both it and the interface stay on the host`() throws {
        _ = try Room.layout.get()
        try Room.run("modprobe dummy")
        try Room.run("ip link add nsdummy type dummy")
        defer { _ = try? Room.run("ip link del nsdummy") }
        try Room.run("ip link set nsdummy up")
        try Room.run("rdma link add rxe0 type rxe netdev nsdummy")
        try Room.setSharing("exclusive")
        defer { try? Room.setSharing("shared") }
        let before = try Room.hostText()
        let network = try PodNetwork()
        let order = PodNetwork.AttachRequest(
            device: "nsdummy", plan: InterfacePlan(hostName: "nsdummy", name: "net0"), record: try network.records(["nsdummy"])[0],
            rdmaDevice: "rxe0")
        let pod = try NetworkNamespace.make()
        #expect { try network.attach([order], to: pod) } throws: { "\($0)".contains("rxe0: m") }
        try Room.expectUnchanged(before)
    }
}
