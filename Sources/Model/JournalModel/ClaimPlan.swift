// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The desired state of one claim on this node. `nearside-node` is its only writer.
package struct ClaimPlan: Hashable, Sendable, Codable {
    /// The phase of a claim.
    package enum Phase: String, Hashable, Sendable, Codable {
        /// The devices belong to the claim.
        case prepared
        /// The devices are being restored; no device may be attached.
        case released
    }

    package var claim: ClaimIdentity
    package var phase: Phase
    /// UIDs of the pods that may use the claim.
    package var pods: [String]
    package var devices: [DevicePlan]
    /// True if pods that are not in ``pods`` may use the claim, because the claim was not created for one pod. The kubelet prepares it
    /// once, and does not report further pods.
    package var isOpen: Bool?
    /// Nil in plans of releases that wrote CDI specifications themselves.
    package var containers: ContainerPlan?

    package init(claim: ClaimIdentity, pods: [String], devices: [DevicePlan], phase: Phase = .prepared) {
        self.claim = claim
        self.pods = pods
        self.devices = devices
        self.phase = phase
    }

    /// True if a device has to move into the pod.
    package var hasInterfaces: Bool { devices.contains { $0.isMoved } }

    /// True if containers get nodes of RDMA devices, which a process can keep open after the pod has ended.
    package var hasRDMANodes: Bool { devices.contains { !$0.verbsNodes.isEmpty } }
}

/// The identity of a claim: UID, namespace and name.
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

/// The desired state of one device of a claim.
package struct DevicePlan: Hashable, Sendable, Codable {
    package var pool: String
    /// Name of the device in the pool.
    package var device: String
    /// The request for which the device was allocated, with the sub-request if there is one.
    package var request: String
    /// The pair or set that was allocated, if the device is a member of one.
    package var group: String?
    /// The ID of the allocation, for a device that several claims share.
    package var shareID: String?
    package var cdiDeviceIDs: [String]
    /// Nil for a device without a netdev.
    package var interface: InterfacePlan?
    /// The RDMA device that moves with the interface if namespaces do not share RDMA devices.
    package var rdmaDevice: String?
    package var virtualFunction: VirtualFunctionPlan?
    /// Nil in plans of releases that wrote CDI specifications themselves.
    package var access: DeviceAccess?

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

    /// True if the device has to move into the pod.
    package var isMoved: Bool { interface != nil || rdmaDevice != nil }

    /// Names of the nodes with which containers open the RDMA devices: `uverbs0`.
    package var verbsNodes: [String] {
        let folder = "/dev/infiniband/"
        return (access?.nodes ?? []).filter { $0.path.hasPrefix("\(folder)uverbs") }.map { String($0.path.dropFirst(folder.count)) }
    }
}

/// Settings of a virtual function on its physical function, applied before it moves into a pod.
package struct VirtualFunctionPlan: Hashable, Sendable {
    /// The physical function's interface.
    package var parent: String
    /// Number of the virtual function, from 0.
    package var number: UInt32
    package var settings: VirtualFunctionSettings

    package init(parent: String, number: UInt32, settings: VirtualFunctionSettings = VirtualFunctionSettings()) {
        (self.parent, self.number, self.settings) = (parent, number, settings)
    }
}

/// In JSON the settings are members of the same object.
extension VirtualFunctionPlan: Codable {
    private enum Key: String, CodingKey { case parent, number }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        parent = try values.decode(String.self, forKey: .parent)
        number = try values.decode(UInt32.self, forKey: .number)
        settings = try VirtualFunctionSettings(from: decoder)
        // Plans do not have these two settings. A text with them differs from its encoding, and is refused.
        (settings.vlanPriority, settings.linkState) = (nil, nil)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(parent, forKey: .parent)
        try values.encode(number, forKey: .number)
        try settings.encode(to: encoder)
    }
}
