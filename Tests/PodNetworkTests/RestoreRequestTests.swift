// SPDX-License-Identifier: Apache-2.0

import JournalModel
import NetworkModel
import PodNetwork
import Testing

/// The identification of an interface among those of a pod and of the host.
struct RestoreRequestTests {
    private static func link(
        _ index: Int32, _ name: String, address: UInt8, kind: String? = nil, parent: String? = nil, below: Int32? = nil
    ) -> Link {
        var link = Link(index: index, type: 1, flags: 0)
        (link.name, link.kind, link.parentDevice, link.link) = (name, kind, parent, below)
        link.address = HardwareAddress(bytes: [2, 0, 0, 0, 0, address])
        if kind == nil { link.permanentAddress = link.address }
        return link
    }

    private static let hardware = link(5, "nic0", address: 1, parent: "0000:8a:00.0")
    private static let virtual = link(6, "nic1", address: 2, kind: "macvlan")

    /// - Parameter isFunction: true for a virtual function with settings on its physical function.
    private func request(_ link: Link?, index: Int32? = nil, isFunction: Bool = false) -> PodNetwork.RestoreRequest {
        var attachment = Attachment(
            phase: .moving, device: "d", podUID: "", sandbox: "", namespacePath: "", namespace: FileIdentity(device: 0, inode: 0),
            podName: "net1", host: link.map { HostRecord($0) })
        attachment.podIndex = index
        attachment.vrf = "blue"
        if isFunction {
            attachment.virtualFunction = VirtualFunctionRecord(parent: "pf", number: 0, settings: VirtualFunction(number: 0))
        }
        return PodNetwork.RestoreRequest(attachment)
    }

    @Test
    func `in the pod an interface is found by its number, unless another interface has the number`() {
        let moved = Self.link(5, "mine", address: 9, parent: "0000:8a:00.0")
        #expect(request(Self.hardware, index: 5).find(in: [Self.virtual, moved])?.name == "mine")
        #expect(request(Self.hardware, index: 4).find(in: [moved]) == nil)
        // The pod has given the number to another interface.
        #expect(request(Self.hardware, index: 5).find(in: [Self.link(5, "mine", address: 1, parent: "0000:8b:00.0")]) == nil)
        #expect(request(Self.hardware, index: 5).find(in: [Self.link(5, "mine", address: 1, kind: "ifb", parent: "0000:8a:00.0")]) == nil)
        // An interface that was created for the pod has no record.
        #expect(request(nil, index: 5).find(in: [moved])?.index == 5)
    }

    @Test
    func `without a number an interface is found by the pod's name, its own name, or its identity`() {
        let under = { (name: String, index: Int32) in Self.link(index, name, address: 1, parent: "0000:8a:00.0") }
        #expect(request(Self.hardware).find(in: [under("nic0", 1), under("net1", 2), under("x", 3)])?.index == 2)
        #expect(request(Self.hardware).find(in: [under("x", 3), under("nic0", 1)])?.index == 1)
        #expect(request(Self.hardware).find(in: [under("x", 3)])?.index == 3)
        // Names alone are not sufficient.
        #expect(request(Self.hardware).find(in: [Self.link(2, "net1", address: 7), Self.link(1, "nic0", address: 8)]) == nil)
        // A child is identified by its name and its parent.
        #expect(request(nil).find(in: [Self.link(2, "net1", address: 7)]) == nil)
        #expect(
            request(nil).find(in: [Self.link(3, "net2", address: 7, below: 9), Self.link(2, "net1", address: 7, below: 9)])?.index == 2)
    }

    @Test
    func `on the host an interface is found by its name, the pod's name, or the permanent address`() {
        let under = { (name: String, index: Int32) in Self.link(index, name, address: 1, parent: "0000:8a:00.0") }
        #expect(request(Self.hardware).findOnHost([under("net1", 2), under("nic0", 1)])?.index == 1)
        #expect(request(Self.hardware).findOnHost([under("eth9", 3), under("net1", 2)])?.index == 2)
        #expect(request(Self.hardware).findOnHost([under("eth9", 3)])?.index == 3)
        #expect(request(Self.hardware).findOnHost([Self.link(3, "nic0", address: 4)]) == nil)
        #expect(request(nil).findOnHost([under("net1", 2)]) == nil)
        // A virtual interface has no permanent address, so that only its names identify it.
        #expect(request(Self.virtual).findOnHost([Self.link(3, "eth9", address: 2, kind: "macvlan")]) == nil)
        #expect(request(Self.virtual).findOnHost([Self.link(3, "net1", address: 2, kind: "macvlan")])?.index == 3)
        // A virtual function may report another permanent address now.
        let renamed = Self.link(3, "eth9", address: 7, parent: "0000:8a:00.0")
        #expect(request(Self.hardware).findOnHost([renamed]) == nil)
        #expect(request(Self.hardware, isFunction: true).findOnHost([renamed])?.index == 3)
    }

    @Test
    func `hardware is identified by its permanent address and device, a virtual interface by its address`() throws {
        func isSame(_ link: Link, _ recorded: Link, isFunction: Bool = false, inPod: UInt8? = nil) -> Bool {
            var request = request(recorded, isFunction: isFunction)
            request.hardwareAddress = inPod.flatMap { HardwareAddress(bytes: [2, 0, 0, 0, 0, $0]) }
            return request.isSame(link, HostRecord(recorded))
        }
        #expect(isSame(Self.hardware, Self.hardware))
        #expect(!isSame(Self.link(5, "nic0", address: 1, parent: "0000:8b:00.0"), Self.hardware))
        #expect(!isSame(Self.link(5, "nic0", address: 3, parent: "0000:8a:00.0"), Self.hardware))
        #expect(!isSame(Self.link(5, "nic0", address: 1, kind: "ifb", parent: "0000:8a:00.0"), Self.hardware))
        // Kernels before 5.14 report no device.
        let old = Self.link(5, "nic0", address: 1)
        #expect(isSame(Self.hardware, old))
        #expect(!isSame(old, Self.hardware))
        // For a virtual function only the device counts.
        #expect(isSame(Self.link(5, "nic0", address: 3, parent: "0000:8a:00.0"), Self.hardware, isFunction: true))
        #expect(!isSame(Self.link(5, "nic0", address: 1, parent: "0000:8b:00.0"), Self.hardware, isFunction: true))
        #expect(isSame(Self.virtual, Self.virtual))
        let changed = Self.link(6, "nic1", address: 8, kind: "macvlan")
        #expect(!isSame(changed, Self.virtual) && !isSame(changed, Self.virtual, inPod: 7) && isSame(changed, Self.virtual, inPod: 8))
    }

    @Test
    func `possible interfaces of the pod and their VRF are requested`() {
        let other = Self.link(9, "lo", address: 0)
        #expect(!request(Self.hardware, index: 5).concerns(other))
        #expect(request(Self.hardware, index: 5).concerns(Self.link(5, "mine", address: 9)))
        #expect(!request(Self.hardware, index: 5).concerns(Self.link(4, "net1", address: 1)))
        #expect(request(Self.hardware, index: 5).concerns(Self.link(4, "blue", address: 0, kind: "vrf")))
        #expect(!request(Self.hardware, index: 5).concerns(Self.link(4, "blue", address: 0, kind: "ifb")))
        #expect(!request(Self.hardware, index: 5).concerns(Self.link(4, "red", address: 0, kind: "vrf")))
        #expect(request(Self.hardware).concerns(Self.link(4, "net1", address: 9)))
        #expect(request(Self.hardware).concerns(Self.link(4, "nic0", address: 9)))
        #expect(request(Self.hardware).concerns(Self.link(4, "mine", address: 1, parent: "0000:8a:00.0")))
        #expect(!request(Self.hardware).concerns(other) && !request(nil).concerns(Self.link(4, "nic0", address: 9)))
    }
}
