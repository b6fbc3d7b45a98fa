// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import Linux
import ResourceAPI
import Testbed
import Testing

/// VLANs that a pod stacked on its NIC and hid in another namespace.
extension LiveKernelTests {
    /// Puts a VLAN on an interface of the pod into another namespace.
    private func hide(_ words: [String], on name: String, in pod: NetworkNamespace, _ hidden: NetworkNamespace) throws {
        let path = "/proc/\(getpid())/fd/\(hidden.descriptor.raw)"
        try Files.makeFolder("/run/netns")
        try Files.write("/run/netns/hidden", "")
        try Room.run("mount --bind \(path) /run/netns/hidden")
        defer {
            _ = try? Room.run("umount -l /run/netns/hidden")
            try? Files.remove("/run/netns/hidden")
        }
        let made = try ChildProcess.run(
            "/usr/bin/env", ["ip", "link", "add", "link", name, "name", "above", "netns", "hidden", "type", "vlan"] + words, in: pod)
        #expect(made.status == 0, "\(made.output)")
    }

    @Test(arguments: [
        (["id", "9"], "VLAN 9 of"), (["proto", "802.1ad", "id", "4094"], "VLAN 4094 (802.1ad) of"), (["id", "0"], "VLAN 0 of"),
    ])
    func `a VLAN that a pod hid on a NIC keeps the NIC from the next claim, and is reported by its number`(words: [String], part: String)
        throws
    {
        let layout = try Room.layout.get()
        try Room.run("modprobe 8021q")
        // Without the module there is no search.
        defer { _ = try? Room.run("modprobe -r 8021q") }
        let parameters: JSONValue = .object(["interface": .object(["name": .string("net0")])])
        let scene = try InjectorScene()
        defer { scene.end() }
        var hidden: NetworkNamespace? = try NetworkNamespace.make()
        try scene.prepare("claim-5", layout.nics[2], parameters: parameters)
        let (pod, namespace) = try scene.start("claim-5")
        if let hidden { try hide(words, on: "net0", in: namespace, hidden) }
        let stopped = ContinuousClock.now
        try scene.stop(pod)
        print("pod stopped in \(ContinuousClock.now - stopped)")
        let refusal = try scene.release("claim-5")
        #expect(refusal?.contains(part) == true, "\(refusal ?? "released"); \(scene.log)")
        #expect(try scene.problems("claim-5").count == 1)
        hidden = nil
        #expect(try eventually { try scene.journal.state("claim-5") == nil }, "\(scene.log)")
        #expect(try scene.release("claim-5") == nil)
        // Without hidden VLANs, the release waits for the search.
        try scene.prepare("claim-6", layout.nics[2], parameters: parameters)
        let next = try scene.start("claim-6")
        try scene.stop(next.pod)
        #expect(try scene.problems("claim-6").isEmpty)
        let begun = ContinuousClock.now
        #expect(try scene.release("claim-6") == nil)
        print("released in \(ContinuousClock.now - begun)")
        #expect(try scene.journal.state("claim-6") == nil)
    }
}
