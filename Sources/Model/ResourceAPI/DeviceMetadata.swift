// SPDX-License-Identifier: Apache-2.0

/// What containers are told of the devices of one request: the file that KEP-5304 gives them
/// (metadata.resource.k8s.io/v1alpha1 DeviceMetadata).
package struct DeviceMetadata: Hashable, Sendable, Codable {
    package struct Request: Hashable, Sendable, Codable {
        /// With a sub-request, if there is one.
        package var name: String
        package var devices: [Device]

        package init(name: String, devices: [Device]) {
            self.name = name
            self.devices = devices
        }
    }

    package struct Device: Hashable, Sendable, Codable {
        package var driver: String
        package var pool: String
        package var name: String
        /// As in the slice the device was allocated from.
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

    /// The claim's, and which edition of the file it is.
    package struct Identity: Hashable, Sendable, Codable {
        package var name: String
        package var namespace: String
        package var uid: String
        package var generation: Int64
    }

    package var apiVersion = "metadata.resource.k8s.io/v1alpha1"
    package var kind = "DeviceMetadata"
    package var metadata: Identity
    /// What the pod calls the claim, if it was made from a template.
    package var podClaimName: String?
    package var requests: [Request]

    package init(name: String, namespace: String, uid: String, podClaimName: String?, requests: [Request]) {
        metadata = Identity(name: name, namespace: namespace, uid: uid, generation: 1)
        self.podClaimName = podClaimName
        self.requests = requests
    }
}
