// SPDX-License-Identifier: Apache-2.0

/// The metadata of an API object, reduced to the fields in use (apimachinery, meta/v1 ObjectMeta).
package struct Metadata: Hashable, Sendable, Codable {
    package var name: String?
    package var generateName: String?
    package var namespace: String?
    package var uid: String?
    package var resourceVersion: String?
    package var ownerReferences: [OwnerReference]?
    package var annotations: [String: String]?

    package init(
        name: String? = nil, generateName: String? = nil, namespace: String? = nil, uid: String? = nil,
        resourceVersion: String? = nil, ownerReferences: [OwnerReference]? = nil
    ) {
        self.name = name
        self.generateName = generateName
        self.namespace = namespace
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.ownerReferences = ownerReferences
    }
}

/// The owner of an object. The garbage collector deletes the object after its owner.
package struct OwnerReference: Hashable, Sendable, Codable {
    package var apiVersion: String
    package var kind: String
    package var name: String
    package var uid: String
    package var controller: Bool?

    package init(apiVersion: String, kind: String, name: String, uid: String, controller: Bool? = true) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.uid = uid
        self.controller = controller
    }
}

/// A list of objects from the API server.
package struct ObjectList<Item: Codable & Hashable & Sendable>: Hashable, Sendable, Codable {
    /// The metadata of a list: the version from which a watch continues, and the token of the next page.
    package struct ListMetadata: Hashable, Sendable, Codable {
        package var resourceVersion: String?
        package init(resourceVersion: String? = nil) { self.resourceVersion = resourceVersion }
    }

    package var apiVersion: String?
    package var kind: String?
    package var metadata: ListMetadata?
    package var items: [Item]

    package init(
        apiVersion: String? = nil, kind: String? = nil, metadata: ListMetadata? = nil, items: [Item]
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.items = items
    }
}

/// A node (core/v1 Node), reduced to its identity and its pod networks.
package struct NodeObject: Hashable, Sendable, Codable {
    /// The specification of a node, reduced to its pod networks.
    package struct Spec: Hashable, Sendable, Codable {
        /// Prefixes of the node's pods, one for each address family; absent if the network plugin assigns addresses differently.
        package var podCIDRs: [String]?

        package init(podCIDRs: [String]? = nil) { self.podCIDRs = podCIDRs }
    }

    package var metadata: Metadata
    package var spec: Spec?

    package init(metadata: Metadata, spec: Spec? = nil) {
        self.metadata = metadata
        self.spec = spec
    }
}
