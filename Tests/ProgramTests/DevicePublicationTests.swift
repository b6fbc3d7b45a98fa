// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import KubeletAPI
import ResourceAPI
import Testbed
import Testing

/// Published devices while pods have them, their pairs, and clusters that lack features.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct DevicePublicationTests {
    @Test
    func `a device stays published unchanged while its interface is in a pod, also by the next nearside-node`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        for index in machine.functions.indices { machine.functions[index].rdmaDevices = [] }
        let node = try TestNode(TestNode.Options(programs: Place.programs, machine: machine))
        defer { node.removeAllPods() }
        try node.startInjector()
        try node.startNode()
        #expect(try eventually { try node.api.hasWholePool() })
        let published = try node.api.slices()
        let device = try #require(published.flatMap { $0.spec.devices ?? [] }.first { $0.name == "pci-0000-0c-00-0" })
        // Only the interface's driver reports the speed; no record of an attachment has it.
        #expect(device.attributes?["linkGbps"] == .int(10))
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net1", in: pod))
        for signal in [SIGTERM, SIGKILL] {
            node.kill(node: signal)
            try node.startNode()
            // The daemon has taken its snapshot before it answers.
            let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("nothing") }
            #expect(error != nil)
            usleep(200_000)
            #expect(try node.api.slices() == published)
        }
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        #expect(try eventually { try node.api.slices() == published })
    }

    @Test
    func `a claim for a pair gets all its members, and no other claim gets one of them`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        #expect(try eventually { try node.api.hasWholePool() })
        let all = try node.api.slices().flatMap { $0.spec.devices ?? [] }
        #expect(all.count { $0.attributes?["kind"] == .string("pair") } == 8)
        let before = try node.hostText()
        // The pair of the NIC that other tests use.
        let rail = try #require(all.first { $0.name == TestNode.nic }?.attributes?["pair"])
        guard case .string(let name) = rail else { return }
        try node.addClaim("pair", devices: [name])
        let prepared = try node.prepare("pair")
        #expect(prepared.map(\.deviceName) == [name])
        #expect(prepared.first?.cdiDeviceIds.count == 2)
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net1", in: pod))
        try node.addClaim("nic", pod: "pod-2")
        let refused = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("nic") }
        #expect("\(String(describing: refused))".contains("still held by claim default/pair"))
        try node.runtime?.stop(pod)
        try node.unprepare("pair")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a cluster without counters gets no pair devices, one warning, and no further writes`() throws {
        let node = try TestNode.hgxA100()
        node.api.switchOff([.partitionableDevices])
        try node.startNode()
        #expect(try eventually { try node.api.slices().flatMap { $0.spec.devices ?? [] }.count == 16 })
        usleep(1_500_000)
        let settled = try node.api.slices()
        #expect(settled.count == 1 && settled[0].spec.sharedCounters == nil)
        #expect(
            settled.flatMap { $0.spec.devices ?? [] }.allSatisfy { $0.consumesCounters == nil && $0.attributes?["kind"] != .string("pair") }
        )
        #expect(node.log("node.log").split(separator: "\n").count { $0.contains("feature=counters") } == 1)
        usleep(500_000)
        #expect(try node.api.slices() == settled)
        // The next instance reads it from the journal's folder, and writes nothing.
        func writes() -> Int { node.api.requests.count { $0.hasPrefix("POST") || $0.hasPrefix("PUT") || $0.hasPrefix("DELETE") } }
        let before = writes()
        node.kill(node: SIGKILL)
        try node.startNode()
        usleep(700_000)
        #expect(try node.api.slices() == settled)
        #expect(writes() == before)
        // After the kubelet has deleted all slices, the feature is tried again.
        try node.api.deleteAllSlices()
        #expect(try eventually { try node.api.slices().flatMap { $0.spec.devices ?? [] }.count == 16 })
        #expect(eventually { node.log("node.log").split(separator: "\n").count { $0.contains("feature=counters") } == 2 })
    }

    /// Pair, rail and basis of each published device.
    private func pairs(_ node: TestNode) throws -> [String: [DeviceAttribute?]] {
        let devices = try node.api.slices().flatMap { $0.spec.devices ?? [] }.filter { $0.name.hasPrefix("pci-") }
        return Dictionary(
            uniqueKeysWithValues: devices.map { device in (device.name, ["pair", "rail", "pairBasis"].map { device.attributes?[$0] }) })
    }

    @Test
    func `a hint is published as the basis, and the loss of an accelerator does not change other pairs and rails`() throws {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("azure-nd-a100-v4")).machine)
        options.topologyPolicy = """
            {"apiVersion": "nearside/v1alpha1", "kind": "TopologyPolicy", "hints": [
              {"machine": "Other*", "groups": [["0003:00:00.0", "0103:00:00.0"], ["0004:00:00.0", "0104:00:00.0"]]},
              {"groups": [["0003:00:00.0", "0104:00:00.0"], ["0004:00:00.0", "0103:00:00.0"]]}]}
            """
        let node = try TestNode(options)
        try node.startNode()
        #expect(try eventually { try pairs(node).count == 16 })
        let whole = try pairs(node)
        #expect(whole["pci-0003-00-00-0"] == [.string("pair-0"), .int(0), .string("hint")])
        #expect(whole["pci-0003-00-00-0"] == whole["pci-0104-00-00-0"])
        #expect(whole["pci-000e-00-00-0"] == [.string("pair-5"), .int(5), .string("numa")])

        // The GPU leaves the bus; a change of an interface triggers the next observation.
        let link = node.scratch("host/sys/bus/pci/devices/0004:00:00.0")
        func look(mtu: Int) throws {
            #expect(try ChildProcess.run("/sbin/ip", ["link", "set", "ib7", "mtu", "\(mtu)"], in: node.host).status == 0)
        }
        #expect(rename(link, node.scratch("lost")) == 0)
        try look(mtu: 1400)
        #expect(try eventually { try pairs(node).count == 15 })
        for round in 0..<2 {
            let rest = try pairs(node)
            #expect(rest["pci-0103-00-00-0"] == [nil, nil, nil])
            for (name, pair) in whole where name != "pci-0004-00-00-0" && name != "pci-0103-00-00-0" {
                #expect(rest[name] == pair, "\(name)")
            }
            guard round == 0 else { break }
            // The next nearside-node reads it from the journal's folder.
            node.kill(node: SIGKILL)
            try node.startNode()
            usleep(300_000)
        }
        #expect(rename(node.scratch("lost"), link) == 0)
        try look(mtu: 1500)
        #expect(try eventually { try pairs(node) == whole })
    }
}
