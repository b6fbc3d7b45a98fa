// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import Netlink

extension PodNetwork {
    /// The reason why an interface can never return to the host, as a sentence; nil if it may still return.
    ///
    /// Either its device is on no bus. Or the interface is virtual, its pod's namespace has ended, and it is not on the host: the kernel
    /// deletes virtual interfaces with their namespace, and returns only hardware (net/core/dev.c, default_device_exit_net).
    ///
    /// - Parameter isNamespaceGone: true if the pod's namespace is unreachable.
    package func loss(of entry: RestoreRequest, isNamespaceGone: Bool) -> String? {
        guard let record = entry.record else { return nil }
        if let parent = record.parentDevice {
            return host.isOnBus(parent) == false ? "device \(parent) has left its bus" : nil
        }
        guard isNamespaceGone, record.isDeletedWithNamespace, let links = try? host.socket.links(), entry.findOnHost(links) == nil else {
            return nil
        }
        return "the kernel deleted the interface with the pod's network namespace"
    }
}

extension HostRecord {
    /// Kinds of interfaces with hardware below them, which the kernel returns to the host although it creates them like virtual ones.
    private static let returnedKinds: Set<String> = ["ipoib", "can", "vxcan"]

    fileprivate var isDeletedWithNamespace: Bool { kind.map { !Self.returnedKinds.contains($0) } ?? false }
}

extension HostNetwork {
    /// True if a device is on one of the machine's buses; nil if sysfs does not show buses.
    fileprivate func isOnBus(_ device: String) -> Bool? {
        let buses = Files.list("\(sysfs)/bus")
        guard buses.contains("pci"), !device.contains("/"), device != ".." else { return nil }
        return buses.contains { Files.exists("\(sysfs)/bus/\($0)/devices/\(device)") }
    }
}
