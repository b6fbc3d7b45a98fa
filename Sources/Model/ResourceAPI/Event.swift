// SPDX-License-Identifier: Apache-2.0

/// An event of an object (core/v1 Event).
package struct Event: Hashable, Sendable, Codable {
    /// A reference to the object of the event (core/v1 ObjectReference).
    package struct Object: Hashable, Sendable, Codable {
        package var apiVersion: String
        package var kind: String
        package var namespace: String?
        package var name: String
        package var uid: String?

        package init(apiVersion: String = "v1", kind: String, namespace: String? = nil, name: String, uid: String?) {
            self.apiVersion = apiVersion
            self.kind = kind
            self.namespace = namespace
            self.name = name
            self.uid = uid
        }
    }

    /// The component and the node that report the event.
    package struct Source: Hashable, Sendable, Codable {
        package var component: String
        package var host: String
    }

    /// The severity of the event, its field `type`.
    package enum Kind: String, Hashable, Sendable, Codable {
        case normal = "Normal"
        case warning = "Warning"
    }

    package var apiVersion = "v1"
    package var kind = "Event"
    package var metadata: Metadata
    package var involvedObject: Object
    /// One word in CamelCase.
    package var reason: String
    package var message: String
    package var type: Kind
    package var source: Source
    package var firstTimestamp: String
    package var lastTimestamp: String
    package var count = 1

    /// - Parameter time: RFC 3339, whole seconds, UTC.
    package init(about object: Object, reason: String, message: String, type: Kind, component: String, host: String, time: String) {
        // Events of cluster-scoped objects are in the default namespace.
        metadata = Metadata(generateName: "\(object.name.prefix(200)).", namespace: object.namespace ?? "default")
        involvedObject = object
        self.reason = reason
        self.message = String(message.prefix(1000))
        self.type = type
        source = Source(component: component, host: host)
        firstTimestamp = time
        lastTimestamp = time
    }
}
