// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import JournalModel
import Linux
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Names that a pod gives to NICs, and that the kernel keeps when the pod's namespace ends.
extension LiveKernelTests {
    @Test
    func `two NICs whose names a pod swapped are restored under their own names, in any order`() throws {
        let machine = try Room.snapshot()
        let names = try Room.layout.get().nics.suffix(2).compactMap { machine[$0]?.netdevs.first?.name }
        try #require(names.count == 2)
        try Room.setSharing("shared")
        try Room.bringUp(names)
        defer { Room.bringDown(names) }
        let before = try Room.hostText()
        let network = try PodNetwork()
        var entries: [PodNetwork.RestoreRequest] = []
        do {
            let pod = try NetworkNamespace.make()
            for (number, name) in names.enumerated() {
                let plan = InterfacePlan(hostName: name, name: "net\(number)")
                let order = PodNetwork.AttachRequest(device: name, plan: plan, record: try network.records([name])[0])
                let result = try network.attach([order], to: pod)[0]
                var attachment = Attachment(
                    phase: .attached, device: name, podUID: "", sandbox: "", namespacePath: "",
                    namespace: FileIdentity(device: 0, inode: 0), podName: plan.name, host: order.record)
                attachment.podIndex = result.index
                entries.append(PodNetwork.RestoreRequest(attachment))
            }
            for (number, name) in names.enumerated() {
                for words in [
                    ["link", "set", "net\(number)", "down"], ["link", "set", "net\(number)", "name", names[1 - number]],
                    ["link", "property", "add", "dev", names[1 - number], "altname", "of-\(name)"],
                ] {
                    let ended = try ChildProcess.run("/usr/bin/env", ["ip"] + words, in: pod)
                    #expect(ended.status == 0, "\(words): \(ended.output)")
                }
            }
        }
        let text = try Room.run("ip -brief link")
        #expect(eventually { ((try? Room.run("ip link show")) ?? "").contains("altname of-\(names[0])") }, "\(text)")
        // Claims are restored one by one.
        #expect(eventually { entries.map { network.restore([$0], from: nil).isEmpty }.allSatisfy { $0 } })
        try Room.expectUnchanged(before)
    }
}
