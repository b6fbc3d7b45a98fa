// SPDX-License-Identifier: Apache-2.0

package import Addressing
package import Linux
package import Netlink

/// What has happened for one claim. `nearside-nri` writes it and alone changes it.
///
/// The host's side of an interface is recorded before the interface is touched, so that whoever
/// finds this file after a crash can bring everything back.
package struct ClaimState: Hashable, Sendable, Codable {
    package static let currentVersion = 1

    package var version: Int
    package var claim: ClaimIdentity
    package var attachments: [Attachment]

    package init(claim: ClaimIdentity, attachments: [Attachment]) {
        version = Self.currentVersion
        self.claim = claim
        self.attachments = attachments
    }
}

/// An interface on its way into a pod, or there.
package struct Attachment: Hashable, Sendable, Codable {
    package enum Phase: String, Hashable, Sendable, Codable {
        /// The move has begun; it may be on either side.
        case moving
        case attached
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
    /// The interface's name in the pod.
    package var podName: String
    package var host: HostRecord
    /// What it has in the pod, once attached.
    package var addresses: [IPPrefix]
    package var hardwareAddress: HardwareAddress?

    package init(
        phase: Phase, device: String, podUID: String, sandbox: String, namespacePath: String,
        namespace: FileIdentity, podName: String, host: HostRecord
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
}

/// An interface as it was on the host: all that a move into a pod loses or a plan changes.
package struct HostRecord: Hashable, Sendable, Codable {
    package var name: String
    package var index: Int32
    package var hardwareAddress: HardwareAddress?
    package var mtu: UInt32
    package var isUp: Bool
    /// RFC 2863 state in words, as it was.
    package var state: String
    /// rtnetlink's kind of a virtual interface.
    package var kind: String?
    package var alias: String?
    package var addresses: [InterfaceAddress]
    /// Those that somebody set; what the kernel makes for addresses it makes again by itself.
    package var routes: [Route]

    package init(
        name: String, index: Int32, hardwareAddress: HardwareAddress?, mtu: UInt32, isUp: Bool, state: String,
        kind: String?, alias: String?, addresses: [InterfaceAddress], routes: [Route]
    ) {
        self.name = name
        self.index = index
        self.hardwareAddress = hardwareAddress
        self.mtu = mtu
        self.isUp = isUp
        self.state = state
        self.kind = kind
        self.alias = alias
        self.addresses = addresses
        self.routes = routes
    }
}
