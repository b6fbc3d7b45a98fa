// SPDX-License-Identifier: Apache-2.0

/// A claim (resource.k8s.io/v1 ResourceClaim), reduced to the fields that a node driver reads.
package struct ResourceClaim: Hashable, Sendable, Encodable {
    package var metadata: Metadata
    package var status: ResourceClaimStatus?

    package init(metadata: Metadata, status: ResourceClaimStatus? = nil) {
        self.metadata = metadata
        self.status = status
    }

    /// The claim's name in the pod's specification, for a claim created from a template (KEP-3063). Authors of claims can write the
    /// annotation, so that it counts only on a claim that a pod controls, and only if it is a DNS label, as names of a pod's claims are.
    package var podClaimName: String? {
        guard !isOpen, let name = metadata.annotations?["resource.kubernetes.io/pod-claim-name"], Limits.isLabel(name) else { return nil }
        return name
    }

    /// False for a claim created from a template for one pod, its controller, which is its only user (KEP-3063).
    package var isOpen: Bool {
        !(metadata.ownerReferences ?? []).contains { $0.kind == "Pod" && $0.apiVersion == "v1" && $0.controller == true }
    }
}

/// The status of a claim: its allocation, its consumers, and the devices that drivers report.
package struct ResourceClaimStatus: Hashable, Sendable, Encodable {
    package var allocation: AllocationResult?
    package var reservedFor: [ConsumerReference]?
    package var devices: [AllocatedDeviceStatus]?

    package init(allocation: AllocationResult?, reservedFor: [ConsumerReference]? = nil) {
        self.allocation = allocation
        self.reservedFor = reservedFor
    }
}

/// A consumer of the claim: normally a pod.
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

/// The allocation of a claim by the scheduler.
package struct AllocationResult: Hashable, Sendable, Encodable {
    package var devices: DeviceAllocation

    package init(devices: DeviceAllocation) { self.devices = devices }
}

/// The allocated devices, and the configuration that applied when they were allocated.
package struct DeviceAllocation: Hashable, Sendable, Encodable {
    package var results: [AllocatedDevice]?
    package var config: [AllocationConfig]?

    package init(results: [AllocatedDevice], config: [AllocationConfig]? = nil) {
        self.results = results
        self.config = config
    }
}

/// One device that the scheduler allocated to a request. The request may be `main/sub`.
package struct AllocatedDevice: Hashable, Sendable, Encodable {
    package var request: String
    package var driver: String
    package var pool: String
    package var device: String
    package var adminAccess: Bool?
    /// ID of the share of a device that several claims can have (KEP-5075).
    package var shareID: String?

    package init(request: String, driver: String, pool: String, device: String, shareID: String? = nil) {
        self.request = request
        self.driver = driver
        self.pool = pool
        self.device = device
        self.shareID = shareID
    }

    /// The name by which containers refer to the request, without the sub-request.
    package var baseRequest: String { String(request.prefix { $0 != "/" }) }
}

/// Configuration for the devices of some requests, from the class or from the claim.
package struct AllocationConfig: Hashable, Sendable, Encodable {
    /// The object that the configuration comes from.
    package enum Source: String, Hashable, Sendable, Encodable {
        case fromClass = "FromClass"
        case fromClaim = "FromClaim"
    }

    package var source: Source
    /// Requests to which the configuration applies; empty or absent for all requests.
    package var requests: [String]?
    package var opaque: OpaqueConfig?

    package init(source: Source, requests: [String]? = nil, opaque: OpaqueConfig?) {
        self.source = source
        self.requests = requests
        self.opaque = opaque
    }

    /// Returns true if the configuration applies to the device's request. A main request includes all its sub-requests.
    package func applies(to device: AllocatedDevice) -> Bool {
        guard let requests, !requests.isEmpty else { return true }
        return requests.contains(device.request) || requests.contains(device.baseRequest)
    }
}

/// Parameters for one driver: JSON text that only this driver decodes, because parameters of other drivers may have any form.
package struct OpaqueConfig: Hashable, Sendable {
    package var driver: String
    /// JSON text from the API server, unchanged.
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
    /// Size in bytes above which a claim is decoded and planned on its own thread, so that other claims do not wait.
    package static let largeBytes = 32 << 10

    /// True if the parameters of the configurations are larger than ``largeBytes``.
    package var isLarge: Bool {
        (status?.allocation?.devices.config ?? []).reduce(0) { $0 + ($1.opaque?.parameters.count ?? 0) } > Self.largeBytes
    }
}
