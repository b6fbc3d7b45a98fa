// SPDX-License-Identifier: Apache-2.0

import Netlink
import NetworkModel

/// Selects the kernel's announcements that can change the devices of a snapshot. Pure.
///
/// A node creates and deletes interfaces of pods continuously, with addresses, routes and queues; these are not devices. An announcement
/// is relevant unless it is known to be irrelevant.
package struct EventFilter: Sendable {
    private let virtualPrefixes: [String]
    /// Indices of interfaces of pods.
    private var ignored: Set<Int32> = []

    /// - Parameter virtualPrefixes: name prefixes of virtual interfaces that are devices.
    package init(virtualPrefixes: [String]) { self.virtualPrefixes = virtualPrefixes }

    /// True for a relevant datagram of rtnetlink's groups, and for a datagram that cannot be decoded.
    package mutating func isRelevant(routing datagram: ArraySlice<UInt8>) -> Bool {
        guard let messages = Message.list(datagram) else { return true }
        var isRelevant = false
        for message in messages where self.isRelevant(message) { isRelevant = true }
        return isRelevant
    }

    private mutating func isRelevant(_ message: Message) -> Bool {
        switch AnnouncedObject(message) {
        case .link(let link, let isGone):
            let isOfPod =
                (link.kind == "veth" || link.kind == "netkit") && !virtualPrefixes.contains { link.name.hasPrefix($0) }
            if isGone { return ignored.remove(link.index) == nil && !isOfPod }
            if isOfPod { ignored.insert(link.index) } else { ignored.remove(link.index) }
            return !isOfPod
        case .address(let address): return !ignored.contains(address.index)
        case .route(let route):
            // The host may use a route for its own destinations, but a route to a single address on a link is a pod's.
            if let destination = route.destination, destination.length == destination.address.bitCount {
                return route.gateway != nil || route.nextHops != nil || route.nextHopID != nil || route.hasForeignGateway
            }
            return !route.interfaces.contains { ignored.contains($0) }
        case .other: return true
        }
    }

    /// Subsystems that rtnetlink announces too, or that are not part of snapshots.
    private static let idleSubsystems: Set<String> = [
        "net", "queues", "block", "bdi", "cpu", "memory", "input", "tty", "cgroup", "cachefiles", "power_supply",
        "thermal", "rtc", "sound", "usb", "scsi", "scsi_device", "scsi_host", "loop",
    ]

    /// True for a relevant uevent of the kernel.
    package func isRelevant(uevent datagram: ArraySlice<UInt8>) -> Bool {
        !Self.idleSubsystems.contains(Uevent.subsystem(of: datagram))
    }
}
