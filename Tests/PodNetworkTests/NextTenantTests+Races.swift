// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import PodNetwork
import Testbed
import Testing

/// Actions that a pod repeats while its NIC moves back.
extension NextTenantTests {
    /// Commands of `ip -batch`, which a pod repeats endlessly.
    private static let loops = [
        "an altname of the host": ["link property add dev net0 altname uplink0", "link property del dev net0 altname uplink0"],
        "other names": ["link set net0 name other", "link set other name net0", "link property add dev net0 altname nic0"],
        "other addresses": ["link set net0 address 02:bd:bd:00:00:02", "link set net0 address 02:bd:bd:00:00:03"],
        "up and down": ["link set net0 down", "link set net0 up", "link set net0 promisc on", "link set net0 mtu 1300"],
        "a bridge": ["link add b0 type bridge", "link set net0 master b0", "link set net0 nomaster", "link del b0"],
        "interfaces on it": ["link add link net0 name m0 type macvlan", "link set m0 up", "link del m0"],
    ]

    @Test(arguments: loops.keys.sorted())
    func `each restore ends soon while the pod changes its NIC, and one succeeds after the pod has ended`(kind: String) throws {
        let scene = try Scene()
        let before = try scene.text()
        let pod = try NetworkNamespace.make()
        let returns = try scene.attach(["nic0"], to: pod)
        let scratch = try ScratchFolder("races")
        try Files.write(scratch("batch"), (Self.loops[kind] ?? []).joined(separator: "\n") + "\n")
        let script = "echo ready; while :; do /sbin/ip -force -batch \(scratch("batch")) >/dev/null 2>&1; done"
        var loops = try (0..<2).map { _ in
            try ChildProcess("/bin/sh", ["-c", script], in: pod, output: scratch("log"))
        }
        #expect(try eventually { try Files.readText(scratch("log")).contains("ready") })
        var isBack = false
        for _ in 0..<5 where !isBack {
            let start = ContinuousClock.now
            isBack = try scene.restore(returns, from: pod).isEmpty
            #expect(ContinuousClock.now - start < .seconds(2), "the runtime waits for this")
        }
        print("\(kind): \(isBack ? "came back" : "did not come back") while the pod was at it")
        for loop in loops { loop.stop(SIGKILL) }
        loops = []
        #expect(try isBack || eventually { try scene.restore(returns, from: pod).isEmpty })
        let changes = HostText.difference(before, try scene.text())
        #expect(changes.isEmpty, "\(changes)")
    }

    @Test
    func `a virtual NIC is recognised on the host although the pod changed its address before the move`() throws {
        let scene = try Scene()
        let before = try scene.text()
        let pod = try NetworkNamespace.make()
        let returns = try scene.attach(["nic0"], to: pod)
        // As between the read in the pod and the move.
        try Scene.ip(pod, "link", "set", "net0", "address", "02:bd:bd:00:00:02")
        try move("net0", from: pod, to: scene.host)
        try Scene.ip(scene.host, "link", "set", "net0", "name", "nic0")
        #expect(try scene.restore(returns, from: pod) == [])
        let changes = HostText.difference(before, try scene.text())
        #expect(changes.isEmpty, "\(changes)")
    }

    @Test
    func `a pod's macvlan that takes the NIC's address keeps the NIC from the next pod`() throws {
        let scene = try Scene()
        let pod = try NetworkNamespace.make()
        var hidden: NetworkNamespace? = try NetworkNamespace.make()
        let returns = try scene.attach(["nic1"], to: pod)
        let link = try ChildProcess.run("/sbin/ip", ["-o", "link", "show", "net1"], in: pod).output
        let words = link.split(separator: " ")
        let mac = try #require(words.firstIndex(of: "link/ether").map { String(words[$0 + 1]) }, "\(link)")
        try Scene.ip(pod, "link", "set", "net1", "down")
        try Scene.ip(pod, "link", "add", "link", "net1", "name", "double", "type", "macvlan", "mode", "bridge")
        try Scene.ip(pod, "link", "set", "double", "address", mac)
        try Scene.ip(pod, "link", "set", "double", "up")
        if let namespace = hidden {
            try move("double", from: pod, to: namespace)
            try Scene.ip(namespace, "link", "set", "double", "up")
        }
        let problems = try scene.restore(returns, from: pod)
        #expect(problems.map(\.object) == ["nic1"], "\(problems)")
        hidden = nil
        #expect(try eventually { try scene.restore(returns, from: pod).isEmpty })
    }
}
