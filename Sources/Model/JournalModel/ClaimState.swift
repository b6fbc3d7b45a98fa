// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The observed state of one claim. `nearside-nri` alone writes it.
///
/// The host's side of an interface is recorded before the interface is touched, so that a program that
/// finds this file after a crash can bring everything back.
package struct ClaimState: Hashable, Sendable, Codable {
    package var claim: ClaimIdentity
    /// The boot id of the kernel at the time of the state, which is obsolete after the next boot.
    package var boot: String
    package var attachments: [Attachment]
    /// RDMA devices that all namespaces see, of which containers get the nodes. Nil when there are none.
    package var sharedRDMADevices: [SharedRDMADevice]?

    package init(claim: ClaimIdentity, boot: String, attachments: [Attachment]) {
        self.claim = claim
        self.boot = boot
        self.attachments = attachments
    }
}

/// An RDMA device that a claim's containers can open, and no process may have open after the claim.
package struct SharedRDMADevice: Hashable, Sendable, Codable {
    /// Name of the device in its pool.
    package var device: String
    /// Name of the RDMA device: `mlx5_0`.
    package var name: String
    /// Numbers of the contexts that programs of the host had open before.
    package var contexts: [UInt32]

    package init(device: String, name: String, contexts: [UInt32]) {
        self.device = device
        self.name = name
        self.contexts = contexts
    }
}

/// One device on its way into a pod, or there.
package struct Attachment: Hashable, Sendable, Codable {
    /// The phase of an attachment.
    package enum Phase: String, Hashable, Sendable, Codable {
        /// The move has begun; it may be on either side.
        case moving
        case attached
        /// The restore has failed so far: ``problem`` has the reason.
        case returning
    }

    package var phase: Phase
    /// Name of the device in its pool.
    package var device: String
    package var podUID: String
    package var sandbox: String
    /// Path of the pod's network namespace; it may be gone.
    package var namespacePath: String
    /// Tells whether a namespace at that path is still the same.
    package var namespace: FileIdentity
    /// The interface's name in the pod; nil for a device without one.
    package var podName: String?
    /// The interface's number in the pod, once it is there.
    package var podIndex: Int32?
    /// The recorded interface of the host; nil for one that was made for the pod.
    package var host: HostRecord?
    /// The RDMA device that went along.
    package var rdmaDevice: String?
    /// The RDMA device that all namespaces see: no process may have it open after the restore.
    package var sharedRDMADevice: String?
    /// Contexts of its RDMA device that the host had open before, by number.
    package var rdmaContexts: [UInt32]?
    /// A routing domain made in the pod.
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

    /// Name for messages.
    package var label: String { host?.name ?? podName ?? rdmaDevice ?? sharedRDMADevice ?? device }

    /// How far a lease is; nil for one that it does not ask for.
    package subscript(family: Lease.Family) -> LeasePhase? {
        get { family == .v4 ? lease : lease6 }
        set { if family == .v4 { lease = newValue } else { lease6 = newValue } }
    }

    /// The leases it asks for.
    package var leaseFamilies: [Lease.Family] { Lease.Family.allCases.filter { self[$0] != nil } }

    /// The address that a server gave.
    package func leasedAddress(_ family: Lease.Family) -> IPPrefix? {
        self[family] == .bound ? addresses.first { Lease.Family($0.address) == family } : nil
    }
}

extension [Attachment] {
    /// Which of them wait for a server, as a sentence; nil when none does.
    package var awaitedLeases: String? {
        let waiting = Lease.Family.allCases.compactMap { family -> String? in
            let names = filter { $0[family] == .awaited }.map(\.label)
            return names.isEmpty ? nil : "no \(family.protocolName) server has given \(names.joined(separator: ", ")) an address yet"
        }
        return waiting.isEmpty ? nil : waiting.joined(separator: ", and ")
    }
}
