// SPDX-License-Identifier: Apache-2.0

/// What a driver says of a device it prepared: an entry of a claim's `status.devices` (KEP-4817).
package struct AllocatedDeviceStatus: Hashable, Sendable, Codable {
    package var driver: String
    package var pool: String
    package var device: String
    /// Which part of a shared device.
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
    /// One word in CamelCase; the API refuses an empty one.
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

/// The interface of an allocated device as the pod has it.
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

/// What `status.devices` of one claim is to hold of one driver, for server-side apply.
package struct DeviceStatusPatch: Hashable, Sendable, Codable {
    package struct Status: Hashable, Sendable, Codable {
        package var devices: [AllocatedDeviceStatus]
    }

    package var apiVersion: String
    package var kind = "ResourceClaim"
    /// The UID guards against a claim that was made anew under the same name.
    package var metadata: Metadata
    package var status: Status

    package init(_ metadata: Metadata, devices: [AllocatedDeviceStatus], version: ResourceAPIVersion) {
        apiVersion = version.groupVersion
        self.metadata = Metadata(name: metadata.name, namespace: metadata.namespace, uid: metadata.uid)
        status = Status(devices: devices)
    }
}
