// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Glibc
import Hardware
import Journal
import JournalModel
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// Actions of other programs on interfaces and namespaces.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct LostInterfaceTests {
    @Test
    func `a device without its interface is not allocated until the interface is restored`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let name = { try node.api.slices().flatMap { $0.spec.devices ?? [] }.first { $0.name == TestNode.nic }?.attributes?["ifName"] }
        guard try eventually({ try name() != nil }), case .string(let interface)? = try name() else {
            Issue.record("the NIC is not published with an interface")
            return
        }
        let elsewhere = try node.makePod("elsewhere", uid: "elsewhere")
        let path = try #require(elsewhere.linux.namespaces.first?.path)
        #expect(try ChildProcess.run("/sbin/ip", ["link", "set", interface, "netns", path], in: node.host).status == 0)
        #expect(try eventually { try name() == nil })
        try node.addClaim("a")
        #expect(try node.expectRefusal("a", .invalid).contains(" \(interface)"))
        let back = "/proc/\(try #require(node.nodeDaemon).identifier)/ns/net"
        let inside = try node.namespace(of: elsewhere)
        #expect(try ChildProcess.run("/sbin/ip", ["link", "set", interface, "netns", back], in: inside).status == 0)
        let isPrepared = eventually { (try? node.prepare("a")) != nil }
        #expect(isPrepared)
    }

    @Test
    func `a pod whose namespace ends without a report has all its devices restored`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        // Like CRI-O, and any runtime that is restarted in the meantime. The kernel would delete these interfaces.
        node.removePod(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a device without its interface is refused also by the next nearside-node, until the operator removes the record`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let device = { try node.api.slices().flatMap { $0.spec.devices ?? [] }.first { $0.name == TestNode.nic } }
        guard try eventually({ try device()?.attributes?["ifName"] != nil }),
            case .string(let interface)? = try device()?.attributes?["ifName"]
        else {
            Issue.record("the NIC is not published with an interface")
            return
        }
        let elsewhere = try node.makePod("elsewhere", uid: "elsewhere")
        let path = try #require(elsewhere.linux.namespaces.first?.path)
        try node.addClaim("a", interface: nil)
        for signal in [SIGTERM, SIGKILL] {
            node.kill(node: signal)
            if signal == SIGTERM {
                #expect(try ChildProcess.run("/sbin/ip", ["link", "set", interface, "netns", path], in: node.host).status == 0)
            }
            try node.startNode()
            #expect(try node.expectRefusal("a", .invalid).contains(" \(interface)"))
            #expect(try eventually { try device()?.taints?.contains { $0.key == "dra.nearside/no-interface" } == true })
        }
        node.kill(node: SIGTERM)
        try Files.remove(node.scratch("journal/machine.json"))
        try node.startNode()
        #expect(try node.prepare("a").count == 1)
        #expect(try eventually { try device().map { $0.taints == nil } == true })
    }

    @Test(arguments: ["", "{", "[]", "half"])
    func `without the record of interfaces a NIC without an interface is refused, until the operator removes the damaged file`(text: String)
        throws
    {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let device = { try node.api.slices().flatMap { $0.spec.devices ?? [] }.first { $0.name == TestNode.nic } }
        guard try eventually({ try device()?.attributes?["ifName"] != nil }),
            case .string(let interface)? = try device()?.attributes?["ifName"]
        else {
            Issue.record("the NIC is not published with an interface")
            return
        }
        let elsewhere = try node.makePod("elsewhere", uid: "elsewhere")
        let path = try #require(elsewhere.linux.namespaces.first?.path)
        let memory = node.scratch("journal/machine.json")
        try node.addClaim("a", interface: nil)
        try node.addClaim("b", devices: ["pci-0000-12-00-0"], pod: "pod-2", interface: "net2")
        node.kill(node: SIGKILL)
        #expect(try ChildProcess.run("/sbin/ip", ["link", "set", interface, "netns", path], in: node.host).status == 0)
        let whole = try Files.readText(memory, limit: 64 << 20)
        let spoiled = text == "half" ? String(whole.prefix(whole.count / 2)) : text
        try Files.write(memory, spoiled)
        for _ in 0..<2 {
            try node.startNode()
            #expect(try node.expectRefusal("a", .invalid).contains(memory))
            #expect(try eventually { try device()?.taints?.contains { $0.key == "dra.nearside/no-interface" } == true })
            // A device with its interface is prepared as before.
            #expect(try node.prepare("b").count == 1)
            try node.unprepare("b")
            node.kill(node: SIGKILL)
            #expect(try Files.readText(memory) == spoiled)
        }
        try Files.remove(memory)
        try node.startNode()
        #expect(try node.prepare("a").count == 1)
        #expect(try eventually { try device().map { $0.taints == nil } == true })
        #expect(Files.exists(memory))
    }

    @Test
    func `hardware that left its bus releases the claim, and present hardware is waited for`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net1", in: pod))
        node.kill(injector: SIGKILL)
        node.dropRuntime()
        // The substitute counts as the interface of a PCI function, which the kernel does not show in the pod's namespace.
        let journal = JournalFolder(node.scratch("journal"), states: node.scratch("states"), for: .injector)
        var state = try #require(try journal.state("uid-a"))
        state.attachments[0].host?.parentDevice = "0000:0c:00.0"
        try journal.write(state)
        node.removePod(pod)
        let function = node.scratch("sysfs/bus/pci/devices/0000:0c:00.0")
        try Files.makeFolder(function)
        node.options.injectorArguments = ["--sysfs", node.scratch("sysfs")]
        try node.startInjector()
        #expect(throws: KubeletPeer.Failure.self) { try node.unprepare("a") }
        #expect(Files.list(node.scratch("states/states")).contains("uid-a.json"))
        #expect(!node.log("nri.log").contains("interface lost"))
        // The device is removed from its bus.
        ScratchFolder.removeTree(function)
        let isReleased = eventually { (try? node.unprepare("a")) != nil }
        #expect(isReleased, "\(node.log("nri.log"))")
        #expect(node.log("nri.log").contains("device 0000:0c:00.0 has left its bus"))
        #expect(Files.list(node.scratch("states/states")).isEmpty && Files.list(node.scratch("journal/plans")).isEmpty)
    }

    @Test(arguments: [false, true])
    func `a virtual interface that was destroyed with its pod releases the claim, and a recreated one is published`(isEarly: Bool) throws {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.virtualNICs = "vnic"
        let node = try TestNode(options)
        defer { node.removeAllPods() }
        try node.addInterfaces(1)
        try node.startInjector()
        try node.startNode()
        let device = { try node.api.slices().flatMap { $0.spec.devices ?? [] }.first { $0.name == "vnic0" } }
        #expect(try eventually { try device() != nil })
        try node.addClaim("a", devices: ["vnic0"])
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net1", in: pod))
        node.kill(injector: SIGKILL)
        node.kill(node: SIGKILL)
        node.dropRuntime()
        node.removePod(pod)
        func exists() throws -> Bool { try ChildProcess.run("/sbin/ip", ["link", "show", "vnic0"], in: node.host).status == 0 }
        #expect(try !exists())
        // The administrator recreates it before the daemons start, or while they run and a claim still has it.
        if isEarly { try node.addInterfaces(1) }
        try node.startNode()
        try node.startInjector()
        let isReleased = eventually { Files.list(node.scratch("states/states")).isEmpty }
        #expect(isReleased, "\(node.log("nri.log"))")
        #expect(node.log("nri.log").contains("interface lost"))
        if !isEarly {
            #expect(try eventually { try node.api.events().contains { $0.reason == "DeviceLost" } })
            try node.addInterfaces(1)
        }
        #expect(try eventually { try device().map { $0.taints == nil } == true })
        try node.unprepare("a")
        #expect(Files.list(node.scratch("journal/plans")).isEmpty)
        // Later changes of the interface are observed.
        #expect(try ChildProcess.run("/sbin/ip", ["link", "set", "vnic0", "mtu", "1400"], in: node.host).status == 0)
        #expect(try eventually { try device()?.attributes?["mtu"] == .int(1400) })
        try node.addClaim("b", devices: ["vnic0"], pod: "pod-2", interface: "net2")
        #expect(try node.prepare("b").count == 1)
        try node.unprepare("b")
    }
}
