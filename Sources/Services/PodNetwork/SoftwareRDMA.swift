// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink

/// RDMA in software (rxe) is an addition to an interface, and the kernel destroys it whenever the interface changes its namespace. So it
/// is made again on both sides: in the pod, and on the host afterwards. The kernel ends the old one in its own time, and as long as
/// a process has it open not at all.
extension HostNetwork {
    /// By the interface it is on.
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

    /// Makes a device in the pod that its interface has come to, and where devices are in one namespace each, moves it there.
    func remake(_ device: SoftwareRDMA, over netdev: String, in namespace: NetworkNamespace) throws(PodNetworkError) {
        guard let rdma else { return }
        guard try hasEnded(device, rdma, timeout: 1000) else {
            throw PodNetworkError(.open, device.name, "make it in the pod", "the one on the host does not end: a process has it open")
        }
        try inside.run(in: namespace) { () throws(PodNetworkError) in
            try Self.step(device.name, "make it in the pod") { () throws(NetlinkError) in try RDMANetlink().add(device, over: netdev) }
        } entering: {
            PodNetworkError(.refused, device.name, "enter the pod's network namespace", $0)
        }
        if let expected = device.node, let now = node(of: device.name), now != expected {
            throw PodNetworkError(
                .notSet, device.name, "make it in the pod",
                "the kernel gave it /dev/infiniband/\(now), and containers were promised \(expected)")
        }
        guard try movesRDMA() else { return }
        try Self.step(device.name, "move it into the pod") { () throws(NetlinkError) in
            guard let index = try rdma.devices()[device.name] else {
                throw NetlinkError("find it where the kernel has made it", code: ENODEV)
            }
            try rdma.move(index, named: device.name, to: namespace.descriptor.raw)
        }
    }

    /// Recreates a device whose interface is back on the host, unless a device of that name exists.
    func remakeOnHost(_ device: SoftwareRDMA, over netdev: String) throws(PodNetworkError) {
        // A device that is still there was never moved or is about to end; a device with another index is its successor.
        guard let rdma, try hasEnded(device, rdma, timeout: 300) else { return }
        try Self.step(device.name, "make it on the host") { () throws(NetlinkError) in
            guard try rdma.devices()[device.name] == nil else { return }
            try rdma.add(device, over: netdev)
        }
    }

    /// - Parameter timeout: in milliseconds.
    private func hasEnded(_ device: SoftwareRDMA, _ rdma: RDMANetlink, timeout: Int) throws(PodNetworkError) -> Bool {
        let deadline = Poller.now() + timeout
        while try Self.step(device.name, "look for it", { () throws(NetlinkError) in try rdma.devices()[device.name] == device.index }) {
            guard Poller.now() < deadline else { return false }
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
    /// Several are made in this order: the kernel gives each the lowest number that is free, and each is to have its own again.
    var nodeNumber: Int { node.flatMap { Int($0.drop { !$0.isNumber }) } ?? .max }
}

extension RDMANetlink {
    /// The kernel stops listing a device somewhat before it has forgotten its name, which it then reports as ENFILE.
    fileprivate func add(_ device: SoftwareRDMA, over netdev: String) throws(NetlinkError) {
        let deadline = Poller.now() + 300
        while true {
            do throws(NetlinkError) { return try addSoftware(device.name, over: netdev) } catch {
                guard error.code == ENFILE, Poller.now() < deadline else { throw error }
                usleep(2000)
            }
        }
    }
}
