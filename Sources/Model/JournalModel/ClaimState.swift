// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The observed state of one claim. `nearside-nri` is its only writer.
///
/// The settings of an interface on the host are recorded before the interface changes, so that a program that reads this file after a
/// crash can restore them.
package struct ClaimState: Hashable, Sendable, Codable {
    package var claim: ClaimIdentity
    /// The kernel's boot id when the state was written. The state is obsolete after the next boot.
    package var boot: String
    package var attachments: [Attachment]
    /// RDMA devices in the shared mode whose nodes containers get. Nil if there are none.
    package var sharedRDMADevices: [SharedRDMADevice]?

    package init(claim: ClaimIdentity, boot: String, attachments: [Attachment]) {
        self.claim = claim
        self.boot = boot
        self.attachments = attachments
    }
}

/// An RDMA device that a claim's containers can open. After the claim no process may have it open.
package struct SharedRDMADevice: Hashable, Sendable, Codable {
    /// Name of the device in its pool.
    package var device: String
    /// Name of the RDMA device: `mlx5_0`.
    package var name: String
    /// Numbers of the contexts that host processes had open before the attach.
    package var contexts: [UInt32]

    package init(device: String, name: String, contexts: [UInt32]) {
        self.device = device
        self.name = name
        self.contexts = contexts
    }
}

/// A device that is moving into a pod, or is in a pod.
package struct Attachment: Hashable, Sendable, Codable {
    /// The phase of an attachment.
    package enum Phase: String, Hashable, Sendable, Codable {
        /// The move has begun; the device may be in either namespace.
        case moving
        case attached
        /// The restore has not succeeded yet; ``problem`` has the reason.
        case returning
    }

    package var phase: Phase
    /// Name of the device in its pool.
    package var device: String
    package var podUID: String
    package var sandbox: String
    /// Path of the pod's network namespace, which may have ended.
    package var namespacePath: String
    /// The identity of the namespace, which shows whether the path still leads to it.
    package var namespace: FileIdentity
    /// The interface's name in the pod; nil for a device without an interface.
    package var podName: String?
    /// The interface's number in the pod, after its arrival.
    package var podIndex: Int32?
    /// The recorded interface of the host; nil for an interface that was created for the pod.
    package var host: HostRecord?
    /// The RDMA device that moved with the interface.
    package var rdmaDevice: String?
    /// Name and contexts of ``sharedRDMA``.
    private var sharedRDMADevice: String?
    private var rdmaContexts: [UInt32]?
    /// A VRF that was created in the pod.
    package var vrf: String?
    /// Name and addresses in the pod, once attached.
    package var addresses: [IPPrefix]
    package var hardwareAddress: HardwareAddress?
    package var virtualFunction: VirtualFunctionRecord?
    /// State of the DHCP lease, and of the DHCPv6 lease; nil without DHCP.
    private var lease: LeasePhase?
    private var lease6: LeasePhase?
    package var problem: String?

    /// The state of a lease.
    package enum LeasePhase: String, Hashable, Sendable, Codable {
        case awaited, bound
    }

    package init(
        phase: Phase, device: String, podUID: String, sandbox: String, namespacePath: String,
        namespace: FileIdentity, podName: String?, host: HostRecord?
    ) {
        self.phase = phase
        self.device = device
        self.podUID = podUID
        self.sandbox = sandbox
        self.namespacePath = namespacePath
        self.namespace = namespace
        self.podName = podName
        self.host = host
        addresses = []
    }

    /// The end of a claim on an RDMA device in the shared mode. All namespaces see it, and it is in none of a pod.
    package init(returning shared: SharedRDMADevice) {
        self.init(
            phase: .returning, device: shared.device, podUID: "", sandbox: "", namespacePath: "/",
            namespace: FileIdentity(device: 0, inode: 0), podName: nil, host: nil)
        (sharedRDMADevice, rdmaContexts) = (shared.name, shared.contexts)
    }

    /// An RDMA device in the shared mode. After the restore no process may have it open. Nil for a device in a pod.
    package var sharedRDMA: SharedRDMADevice? {
        sharedRDMADevice.map { SharedRDMADevice(device: device, name: $0, contexts: rdmaContexts ?? []) }
    }

    /// The device's name in messages.
    package var label: String { host?.name ?? podName ?? rdmaDevice ?? sharedRDMADevice ?? device }

    /// The phase of a lease; nil for a lease that the interface does not request.
    package subscript(family: Lease.Family) -> LeasePhase? {
        get { family == .v4 ? lease : lease6 }
        set { if family == .v4 { lease = newValue } else { lease6 = newValue } }
    }

    /// The families of the leases that the interface requests.
    package var leaseFamilies: [Lease.Family] { Lease.Family.allCases.filter { self[$0] != nil } }

    /// The address of a lease.
    package func leasedAddress(_ family: Lease.Family) -> IPPrefix? {
        self[family] == .bound ? addresses.first { Lease.Family($0.address) == family } : nil
    }
}

extension [Attachment] {
    /// The addresses that wait for a server, as a sentence; nil if none does.
    package var awaitedLeases: String? {
        let waiting = Lease.Family.allCases.compactMap { family -> String? in
            let names = filter { $0[family] == .awaited }.map(\.label)
            return names.isEmpty ? nil : "no \(family.protocolName) server has given \(names.joined(separator: ", ")) an address yet"
        }
        return waiting.isEmpty ? nil : waiting.joined(separator: ", and ")
    }
}
