// SPDX-License-Identifier: Apache-2.0

/// The file that describes the devices of one request to containers (KEP-5304, metadata.resource.k8s.io/v1alpha1 DeviceMetadata).
package struct DeviceMetadata: Hashable, Sendable, Codable {
    /// A request of the claim with its devices.
    package struct Request: Hashable, Sendable, Codable {
        /// Name of the request, `main/sub` for a sub-request.
        package var name: String
        package var devices: [Device]

        package init(name: String, devices: [Device]) {
            self.name = name
            self.devices = devices
        }
    }

    /// An allocated device.
    package struct Device: Hashable, Sendable, Codable {
        package var driver: String
        package var pool: String
        package var name: String
        /// Attributes of the slice from which the device was allocated.
        package var attributes: [String: DeviceAttribute]?
        package var networkData: NetworkDeviceData?

        package init(
            driver: String, pool: String, name: String, attributes: [String: DeviceAttribute]?, networkData: NetworkDeviceData?
        ) {
            self.driver = driver
            self.pool = pool
            self.name = name
            self.attributes = attributes
            self.networkData = networkData
        }
    }

    /// The identity of the claim, and the generation of the file.
    package struct Identity: Hashable, Sendable, Codable {
        package var name: String
        package var namespace: String
        package var uid: String
        package var generation: Int64
    }

    package var apiVersion = "metadata.resource.k8s.io/v1alpha1"
    package var kind = "DeviceMetadata"
    package var metadata: Identity
    /// Name of the claim in the pod's specification, if the claim was made from a template.
    package var podClaimName: String?
    package var requests: [Request]

    package init(name: String, namespace: String, uid: String, podClaimName: String?, requests: [Request]) {
        metadata = Identity(name: name, namespace: namespace, uid: uid, generation: 1)
        self.podClaimName = podClaimName
        self.requests = requests
    }
}
