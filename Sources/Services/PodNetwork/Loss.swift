// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import Netlink

extension PodNetwork {
    /// The reason why an interface can never return, as a sentence; nil when it still may.
    ///
    /// Two things are proof. The device that the interface belongs to is on no bus any more. Or the interface was virtual, its pod's
    /// namespace is gone, and it is not on the host: the kernel deletes such interfaces with their namespace, and returns only hardware
    /// (net/core/dev.c, default_device_exit_net).
    ///
    /// - Parameter isNamespaceGone: true when nothing can reach the pod's namespace any more.
    package func loss(of entry: RestoreRequest, isNamespaceGone: Bool) -> String? {
        guard let record = entry.record else { return nil }
        if let parent = record.parentDevice {
            return host.isOnBus(parent) == false ? "device \(parent) is not on the bus any more" : nil
        }
        guard isNamespaceGone, record.isDeletedWithNamespace, let links = try? host.socket.links(), entry.findOnHost(links) == nil else {
            return nil
        }
        return "the kernel has deleted it with the pod's network namespace"
    }
}

extension HostRecord {
    /// Kinds that have hardware although they are made like virtual ones, and that the kernel returns to the host.
    private static let returnedKinds: Set<String> = ["ipoib", "can", "vxcan"]

    fileprivate var isDeletedWithNamespace: Bool { kind.map { !Self.returnedKinds.contains($0) } ?? false }
}

extension HostNetwork {
    /// True when a device is on one of the machine's buses; nil when sysfs does not show them.
    fileprivate func isOnBus(_ device: String) -> Bool? {
        let buses = Files.list("\(sysfs)/bus")
        guard buses.contains("pci"), !device.contains("/"), device != ".." else { return nil }
        return buses.contains { Files.exists("\(sysfs)/bus/\($0)/devices/\(device)") }
    }
}
