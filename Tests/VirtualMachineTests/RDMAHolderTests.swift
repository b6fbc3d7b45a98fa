// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import ResourceAPI
import Testbed
import Testing

/// RDMA devices that a process has open at the end of their claim, in the shared mode.
extension LiveKernelTests {
    /// A process that opens an RDMA device and keeps it.
    private func open(_ device: String) throws -> ChildProcess {
        let holder = try ChildProcess("/usr/bin/env", ["ibv_asyncwatch", "-d", device])
        #expect(try eventually { try contexts(device).contains("pid \(holder.identifier) ") }, "\(device)")
        return holder
    }

    private func contexts(_ device: String) throws -> String { try Room.run("rdma resource show ctx dev \(device)") }

    private static let devices = ["nic", "subInterface", "efa"]

    @Test(arguments: devices)
    func `an RDMA device that a process has open is withheld from the next claim until the named process ends`(kind: String) throws {
        let layout = try Room.layout.get()
        try Room.setSharing("shared")
        let (address, device) = kind == "efa" ? (layout.efas[0], "efa_0") : (layout.nics[0], "mlx5_0")
        let scene = try InjectorScene()
        defer { scene.end() }
        // A process of the host that opened the device before.
        let monitor = try open(device)
        defer { monitor.stop(SIGKILL) }
        let child: JSONValue = .object([
            "interface": .object(["name": .string("net0"), "subInterface": .object(["type": .string("macvlan")])])
        ])
        try scene.prepare("claim-1", address, parameters: kind == "subInterface" ? child : nil)
        let (pod, _) = try scene.start("claim-1")
        let holder = try open(device)
        defer { holder.stop(SIGKILL) }
        try scene.stop(pod)
        let refusal = try scene.release("claim-1")
        #expect(
            refusal?.contains("\(device): list open contexts: process \(holder.identifier) (ibv_asyncwatch); the device") == true,
            "\(refusal ?? "released"); \(scene.log)")
        #expect(refusal?.contains("\(monitor.identifier) ") == false)
        #expect(try scene.problems("claim-1").count == 1)
        #expect(try scene.release("claim-1") == refusal)
        holder.stop(SIGKILL)
        // No further request is needed.
        #expect(try eventually { try scene.journal.state("claim-1") == nil }, "\(scene.log)")
        #expect(try scene.release("claim-1") == nil)

        try scene.prepare("claim-2", address, parameters: kind == "subInterface" ? child : nil)
        let next = try scene.start("claim-2")
        try scene.stop(next.pod)
        #expect(try scene.release("claim-2") == nil)
        #expect(try scene.journal.state("claim-2") == nil)
    }

    @Test
    func `the last of two claims with one RDMA device waits for the open contexts of both`() throws {
        let layout = try Room.layout.get()
        try Room.setSharing("shared")
        let scene = try InjectorScene()
        defer { scene.end() }
        let child: JSONValue = .object([
            "interface": .object(["name": .string("net0"), "subInterface": .object(["type": .string("macvlan")])])
        ])
        try scene.prepare("claim-3", layout.nics[1], parameters: child, share: "1")
        let first = try scene.start("claim-3")
        let left = try open("mlx5_1")
        defer { left.stop(SIGKILL) }
        try scene.prepare("claim-4", layout.nics[1], parameters: child, share: "2")
        let second = try scene.start("claim-4")
        try scene.stop(first.pod)
        #expect(try scene.release("claim-3") == nil, "its owner is unknown")
        try scene.stop(second.pod)
        #expect(try scene.release("claim-4")?.contains("process \(left.identifier) (ibv_asyncwatch)") == true)
        left.stop(SIGKILL)
        #expect(try eventually { try scene.release("claim-4") == nil })
    }
}
