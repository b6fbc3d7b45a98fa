// SPDX-License-Identifier: Apache-2.0

/// The status that a driver reports for a device that it prepared: an entry of a claim's `status.devices` (KEP-4817).
package struct AllocatedDeviceStatus: Hashable, Sendable, Codable {
    package var driver: String
    package var pool: String
    package var device: String
    /// ID of the share of a device that several claims have.
    package var shareID: String?
    package var conditions: [Condition]?
    package var networkData: NetworkDeviceData?

    package init(
        driver: String, pool: String, device: String, shareID: String? = nil, conditions: [Condition]? = nil,
        networkData: NetworkDeviceData? = nil
    ) {
        self.driver = driver
        self.pool = pool
        self.device = device
        self.shareID = shareID
        self.conditions = conditions
        self.networkData = networkData
    }
}

/// meta/v1 Condition.
package struct Condition: Hashable, Sendable, Codable {
    package var type: String
    /// `True`, `False` or `Unknown`.
    package var status: String
    /// One word in CamelCase; the API server refuses an empty one.
    package var reason: String
    package var message: String
    /// RFC 3339, whole seconds, UTC.
    package var lastTransitionTime: String

    package init(type: String, status: String, reason: String, message: String, lastTransitionTime: String) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
        self.lastTransitionTime = lastTransitionTime
    }
}

/// The interface of an allocated device in the pod.
package struct NetworkDeviceData: Hashable, Sendable, Codable {
    package var interfaceName: String?
    /// Addresses with their prefix lengths, in canonical form; at most 16.
    package var ips: [String]?
    package var hardwareAddress: String?

    package init(interfaceName: String? = nil, ips: [String]? = nil, hardwareAddress: String? = nil) {
        self.interfaceName = interfaceName
        self.ips = ips
        self.hardwareAddress = hardwareAddress
    }
}

/// The desired `status.devices` of one claim for one driver, for server-side apply.
package struct DeviceStatusPatch: Hashable, Sendable, Codable {
    /// The status of the claim with the entries of this driver alone.
    package struct Status: Hashable, Sendable, Codable {
        package var devices: [AllocatedDeviceStatus]
    }

    package var apiVersion: String
    package var kind = "ResourceClaim"
    /// Name, namespace and UID. The API server refuses the patch if a new claim has the same name.
    package var metadata: Metadata
    package var status: Status

    package init(_ metadata: Metadata, devices: [AllocatedDeviceStatus], version: ResourceAPIVersion) {
        apiVersion = version.groupVersion
        self.metadata = Metadata(name: metadata.name, namespace: metadata.namespace, uid: metadata.uid)
        status = Status(devices: devices)
    }
}
