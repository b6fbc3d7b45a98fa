// SPDX-License-Identifier: Apache-2.0

/// A claim, as far as a node driver reads it (resource.k8s.io/v1 ResourceClaim).
package struct ResourceClaim: Hashable, Sendable, Encodable {
    package var metadata: Metadata
    package var status: ResourceClaimStatus?

    package init(metadata: Metadata, status: ResourceClaimStatus? = nil) {
        self.metadata = metadata
        self.status = status
    }

    /// What the pod calls a claim that was made from a template (KEP-3063). Anybody can write the annotation, so it counts only on a
    /// claim that a pod controls, and only when it is a DNS label, as the names of a pod's claims are.
    package var podClaimName: String? {
        guard !isOpen, let name = metadata.annotations?["resource.kubernetes.io/pod-claim-name"], Limits.isLabel(name) else { return nil }
        return name
    }

    /// False for a claim that was made from a template for one pod, which alone uses it (KEP-3063: its controller).
    package var isOpen: Bool {
        !(metadata.ownerReferences ?? []).contains { $0.kind == "Pod" && $0.apiVersion == "v1" && $0.controller == true }
    }
}

package struct ResourceClaimStatus: Hashable, Sendable, Encodable {
    package var allocation: AllocationResult?
    package var reservedFor: [ConsumerReference]?
    package var devices: [AllocatedDeviceStatus]?

    package init(allocation: AllocationResult?, reservedFor: [ConsumerReference]? = nil) {
        self.allocation = allocation
        self.reservedFor = reservedFor
    }
}

/// Who may use the claim: normally pods.
package struct ConsumerReference: Hashable, Sendable, Encodable {
    package var apiGroup: String?
    package var resource: String
    package var name: String
    package var uid: String

    package init(resource: String, name: String, uid: String) {
        self.resource = resource
        self.name = name
        self.uid = uid
    }
}

package struct AllocationResult: Hashable, Sendable, Encodable {
    package var devices: DeviceAllocation

    package init(devices: DeviceAllocation) { self.devices = devices }
}

package struct DeviceAllocation: Hashable, Sendable, Encodable {
    package var results: [AllocatedDevice]?
    package var config: [AllocationConfig]?

    package init(results: [AllocatedDevice], config: [AllocationConfig]? = nil) {
        self.results = results
        self.config = config
    }
}

/// One device that the scheduler gave to a request. The request may be `main/sub`.
package struct AllocatedDevice: Hashable, Sendable, Encodable {
    package var request: String
    package var driver: String
    package var pool: String
    package var device: String
    package var adminAccess: Bool?
    /// Which allocation of a device that several claims can have (KEP-5075).
    package var shareID: String?

    package init(request: String, driver: String, pool: String, device: String, shareID: String? = nil) {
        self.request = request
        self.driver = driver
        self.pool = pool
        self.device = device
        self.shareID = shareID
    }

    /// The name containers refer to: without the sub-request.
    package var baseRequest: String { String(request.prefix { $0 != "/" }) }
}

/// Configuration for the devices of some requests, from the class or from the claim.
package struct AllocationConfig: Hashable, Sendable, Encodable {
    package enum Source: String, Hashable, Sendable, Encodable {
        case fromClass = "FromClass"
        case fromClaim = "FromClaim"
    }

    package var source: Source
    /// Empty or absent: all requests.
    package var requests: [String]?
    package var opaque: OpaqueConfig?

    package init(source: Source, requests: [String]? = nil, opaque: OpaqueConfig?) {
        self.source = source
        self.requests = requests
        self.opaque = opaque
    }

    /// Whether it is for this request; a main request's configuration is for all its sub-requests.
    package func applies(to device: AllocatedDevice) -> Bool {
        guard let requests, !requests.isEmpty else { return true }
        return requests.contains(device.request) || requests.contains(device.baseRequest)
    }
}

/// Parameters for one driver: JSON that only this driver reads, so that those of others can be whatever the API takes.
package struct OpaqueConfig: Hashable, Sendable {
    package var driver: String
    /// The text as the server sent it.
    package var parameters: [UInt8]

    package init(driver: String, parameters: [UInt8]) {
        self.driver = driver
        self.parameters = parameters
    }

    package init(driver: String, parameters: JSONValue) {
        self.init(driver: driver, parameters: parameters.text)
    }
}

extension OpaqueConfig: Encodable {
    private enum CodingKeys: String, CodingKey {
        case driver, parameters
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(driver, forKey: .driver)
        try values.encode(try JSONValue(parsing: parameters), forKey: .parameters)
    }
}

extension ResourceClaim {
    /// Bytes of a claim from which on it is decoded and planned by itself, so that no other claim waits for it.
    package static let largeBytes = 32 << 10

    /// True when the parameters of its configurations are that large.
    package var isLarge: Bool {
        (status?.allocation?.devices.config ?? []).reduce(0) { $0 + ($1.opaque?.parameters.count ?? 0) } > Self.largeBytes
    }
}
