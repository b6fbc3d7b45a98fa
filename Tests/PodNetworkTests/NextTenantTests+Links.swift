// SPDX-License-Identifier: Apache-2.0

import Linux
import Netlink
import PodNetwork
import Testbed
import Testing

/// States of an interface that only the kernel sets.
extension NextTenantTests {
    @Test(arguments: [false, true])
    func `an interface that the pod left dormant is operational on the host again`(isDown: Bool) throws {
        let scene = try Scene()
        let before = try scene.text()
        let pod = try NetworkNamespace.make()
        let requests = try scene.attach(["nic1"], to: pod)
        // The carrier changes while the link mode is dormant, and does not change again.
        for change in [["mode", "dormant"], ["protodown", "on"], ["protodown", "off"]] {
            try Scene.run(pod, "/sbin/ip", ["link", "set", "net1"] + change)
        }
        #expect(try eventually { try ChildProcess.run("/sbin/ip", ["link", "show", "net1"], in: pod).output.contains("state DORMANT") })
        if isDown {
            for change in [["mode", "default"], ["down"]] { try Scene.run(pod, "/sbin/ip", ["link", "set", "net1"] + change) }
        }
        #expect(try scene.restore(requests, from: pod).isEmpty)
        #expect(HostText.difference(before, try scene.text()).isEmpty)
    }

    /// The kernel changes the index of an interface that moves to a namespace where another interface has it.
    @Test
    func `an interface gets its former index on the host, unless another interface has it`() throws {
        let scene = try Scene()
        let before = try scene.text()
        let index = try Self.index(of: "nic0", in: scene.host)
        for isTaken in [false, true] {
            let pod = try NetworkNamespace.make()
            try Scene.ip(pod, "link", "add", "own0", "index", "\(index)", "type", "bridge")
            let requests = try scene.attach(["nic0"], to: pod)
            #expect(try Self.index(of: "net0", in: pod) != index)
            if isTaken { try Scene.ip(scene.host, "link", "add", "own0", "index", "\(index)", "type", "bridge") }
            #expect(try scene.restore(requests, from: pod).isEmpty)
            #expect(try (Self.index(of: "nic0", in: scene.host) == index) == !isTaken)
            if !isTaken { #expect(HostText.difference(before, try scene.text()).isEmpty) }
        }
    }

    private static func index(of name: String, in namespace: NetworkNamespace) throws -> Int {
        let output = try ChildProcess.run("/sbin/ip", ["-o", "link", "show", name], in: namespace).output
        return try #require(Int(output.prefix { $0 != ":" }))
    }
}
