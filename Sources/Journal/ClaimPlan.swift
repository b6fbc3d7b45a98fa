// SPDX-License-Identifier: Apache-2.0

package import Addressing

/// What is to happen for one claim on this node. `nearside-node` writes it and alone changes it.
package struct ClaimPlan: Hashable, Sendable, Codable {
    package static let currentVersion = 1

    package enum Phase: String, Hashable, Sendable, Codable {
        /// The devices belong to the claim.
        case prepared
        /// They are on their way back; nothing may be attached any more.
        case released
    }

    package var version: Int
    package var claim: ClaimIdentity
    package var phase: Phase
    /// UIDs of the pods that may use the claim.
    package var pods: [String]
    package var devices: [DevicePlan]

    package init(claim: ClaimIdentity, pods: [String], devices: [DevicePlan], phase: Phase = .prepared) {
        version = Self.currentVersion
        self.claim = claim
        self.pods = pods
        self.devices = devices
        self.phase = phase
    }

    /// True when something has to be moved into the pod.
    package var hasInterfaces: Bool { devices.contains { $0.interface != nil } }
}

package struct ClaimIdentity: Hashable, Sendable, Codable, CustomStringConvertible {
    package var namespace: String
    package var name: String
    package var uid: String

    package init(namespace: String, name: String, uid: String) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
    }

    package var description: String { "\(namespace)/\(name)" }
}

/// What is to happen with one device of a claim.
package struct DevicePlan: Hashable, Sendable, Codable {
    package var pool: String
    /// Name of the device in the pool.
    package var device: String
    /// The request it was allocated for, with a sub-request if there is one.
    package var request: String
    /// The pair or set that was allocated, if the device is a member of one.
    package var group: String?
    /// Which allocation of a device that several claims have.
    package var shareID: String?
    package var cdiDeviceIDs: [String]
    /// Nil for a device without a netdev.
    package var interface: InterfacePlan?

    package init(
        pool: String, device: String, request: String, group: String? = nil, shareID: String? = nil, cdiDeviceIDs: [String],
        interface: InterfacePlan?
    ) {
        self.pool = pool
        self.device = device
        self.request = request
        self.group = group
        self.shareID = shareID
        self.cdiDeviceIDs = cdiDeviceIDs
        self.interface = interface
    }
}

/// What is to happen with one interface: which it is on the host, and how it is to be in the pod.
package struct InterfacePlan: Hashable, Sendable, Codable {
    package var hostName: String
    package var name: String
    package var mtu: Int?
    package var hardwareAddress: HardwareAddress?
    /// Nil: the addresses it has on the host go with it.
    package var addresses: [IPPrefix]?
    package var routes: [RoutePlan]

    package init(
        hostName: String, name: String, mtu: Int? = nil, hardwareAddress: HardwareAddress? = nil,
        addresses: [IPPrefix]? = nil, routes: [RoutePlan] = []
    ) {
        self.hostName = hostName
        self.name = name
        self.mtu = mtu
        self.hardwareAddress = hardwareAddress
        self.addresses = addresses
        self.routes = routes
    }
}

package struct RoutePlan: Hashable, Sendable, Codable {
    package var destination: IPPrefix
    package var gateway: IPAddress?
    package var source: IPAddress?

    package init(destination: IPPrefix, gateway: IPAddress? = nil, source: IPAddress? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }
}
