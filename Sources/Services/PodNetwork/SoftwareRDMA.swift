// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink

/// A software RDMA device (rxe) belongs to an interface, and the kernel destroys it when the interface changes its namespace. It is
/// therefore recreated in the pod, and on the host after the restore. The kernel ends the old device asynchronously, and never while a
/// process has it open.
extension HostNetwork {
    /// Software RDMA devices by interface.
    func softwareRDMA() throws(NetlinkError) -> [String: SoftwareRDMA] {
        guard let rdma else { return [:] }
        // Only rxe has this file (drivers/infiniband/sw/rxe/rxe_verbs.c).
        let parents = Files.list("\(sysfs)/class/infiniband").compactMap { name in
            firstLine("\(sysfs)/class/infiniband/\(name)/parent").map { (name: name, netdev: $0) }
        }
        guard !parents.isEmpty else { return [:] }
        let indices = try rdma.devices()
        var devices: [String: SoftwareRDMA] = [:]
        for (name, netdev) in parents {
            guard let index = indices[name] else { continue }
            devices[netdev] = SoftwareRDMA(name: name, index: index, node: node(of: name))
        }
        return devices
    }

    /// Recreates a device on its interface in the pod. In the exclusive mode, also moves it into the pod's namespace.
    func remake(_ device: SoftwareRDMA, over netdev: String, in namespace: NetworkNamespace) throws(PodNetworkError) {
        guard let rdma else { return }
        guard try hasEnded(device, rdma, timeout: .seconds(1)) else {
            throw PodNetworkError(.open, device.name, "create in the pod", "the device on the host does not end: a process has it open")
        }
        try inside.run(in: namespace) { () throws(PodNetworkError) in
            try Self.step(device.name, "create in the pod") { () throws(NetlinkError) in try RDMANetlink().add(device, over: netdev) }
        } entering: {
            PodNetworkError(.refused, device.name, "enter the pod's network namespace", $0)
        }
        if let expected = device.node, let now = node(of: device.name), now != expected {
            throw PodNetworkError(
                .notSet, device.name, "create in the pod",
                "the kernel created /dev/infiniband/\(now), but containers have \(expected)")
        }
        guard try movesRDMA() else { return }
        try Self.step(device.name, "move into the pod") { () throws(NetlinkError) in
            guard let index = try rdma.devices()[device.name] else {
                throw NetlinkError("look up the new device", code: ENODEV)
            }
            try rdma.move(index, named: device.name, to: namespace.descriptor.raw)
        }
    }

    /// Recreates a device whose interface is back on the host, unless a device of that name exists.
    func remakeOnHost(_ device: SoftwareRDMA, over netdev: String) throws(PodNetworkError) {
        // A device that is still there was never moved or is about to end; a device with another index is its successor.
        guard let rdma, try hasEnded(device, rdma, timeout: .milliseconds(300)) else { return }
        try Self.step(device.name, "create on the host") { () throws(NetlinkError) in
            guard try rdma.devices()[device.name] == nil else { return }
            try rdma.add(device, over: netdev)
        }
    }

    private func hasEnded(_ device: SoftwareRDMA, _ rdma: RDMANetlink, timeout: Duration) throws(PodNetworkError) -> Bool {
        let deadline = Deadline.after(timeout)
        while try Self.step(
            device.name, "wait for the end of the former device",
            { () throws(NetlinkError) in try rdma.devices()[device.name] == device.index })
        {
            if deadline.hasPassed { return false }
            usleep(2000)
        }
        return true
    }

    private func node(of device: String) -> String? {
        Files.list("\(sysfs)/class/infiniband_verbs").first { firstLine("\(sysfs)/class/infiniband_verbs/\($0)/ibdev") == device }
    }

    private func firstLine(_ path: String) -> String? {
        (try? Files.readText(path))?.split(separator: "\n").first.map(String.init)
    }
}

extension SoftwareRDMA {
    /// The order of creation: the kernel assigns the lowest free number, and each device has to get its former one.
    var nodeNumber: Int { node.flatMap { Int($0.drop { !$0.isNumber }) } ?? .max }
}

extension RDMANetlink {
    /// The kernel frees the name of a device after it has stopped listing the device; until then the creation fails with ENFILE.
    fileprivate func add(_ device: SoftwareRDMA, over netdev: String) throws(NetlinkError) {
        let deadline = Deadline.after(.milliseconds(300))
        while true {
            do throws(NetlinkError) { return try addSoftware(device.name, over: netdev) } catch {
                guard error.code == ENFILE, !deadline.hasPassed else { throw error }
                usleep(2000)
            }
        }
    }
}
