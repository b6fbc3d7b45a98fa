// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import Netlink

/// Processes that have an RDMA device open. With an open context a process can send and receive with the addresses of the next pod, even
/// after the interface has moved.
extension HostNetwork {
    /// The reason why a device of this namespace cannot be released; nil if no process has it open besides those of the host, or if it is
    /// not in this namespace.
    func holders(of device: SharedRDMADevice) throws(PodNetworkError) -> PodNetworkError? {
        let contexts = try contexts(ofRDMADevice: device.name).filter { !device.contexts.contains($0.number) }
        guard !contexts.isEmpty else { return nil }
        return PodNetworkError(.open, device.name, "list open contexts", contexts.holders { Self.command(of: $0) })
    }

    /// The RDMA devices whose nodes a plan gives to containers, with their open contexts. Empty in the exclusive mode, in which the
    /// kernel ends all contexts of a device that moves.
    func sharedRDMADevices(of plan: ClaimPlan) throws(PodNetworkError) -> [SharedRDMADevice] {
        guard rdma != nil, try !movesRDMA() else { return [] }
        var shared: [SharedRDMADevice] = []
        for device in plan.devices {
            for node in device.verbsNodes where !node.contains("/") {
                let file = "\(sysfs)/class/infiniband_verbs/\(node)/ibdev"
                guard let name = (try? Files.readText(file))?.split(separator: "\n").first.map(String.init) else { continue }
                let contexts = try contexts(ofRDMADevice: name).map(\.number)
                shared.append(SharedRDMADevice(device: device.device, name: name, contexts: contexts))
            }
        }
        return shared
    }

    /// Contexts of processes on a device of this namespace; empty if the kernel does not list contexts.
    private func contexts(ofRDMADevice name: String) throws(PodNetworkError) -> [RDMAContext] {
        guard let rdma else { return [] }
        return try Self.step(name, "list open contexts") { () throws(NetlinkError) -> [RDMAContext] in
            guard let index = try rdma.devices()[name] else { return [] }
            return try rdma.contexts(index, named: name) ?? []
        }
    }

    private static func command(of process: UInt32) -> String? {
        (try? Files.readText("/proc/\(process)/comm"))?.split(separator: "\n").first.map(String.init)
    }
}

extension [RDMAContext] {
    /// Describes the processes with open contexts.
    ///
    /// - Parameter command: returns the name of a process.
    package func holders(command: (UInt32) -> String?) -> String {
        let known = Set(compactMap(\.process)).sorted()
        var holders = known.prefix(8).map { "process \($0)" + (command($0).map { " (\($0))" } ?? "") }
        if known.count > 8 { holders.append("\(known.count - 8) more") }
        let others = count { $0.process == nil }
        if others > 0 { holders.append("\(others) contexts of processes that nearside-nri cannot see") }
        return "\(holders.joined(separator: ", ")); the device is restored after their close"
    }
}
