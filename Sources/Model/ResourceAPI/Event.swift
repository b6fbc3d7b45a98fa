// SPDX-License-Identifier: Apache-2.0

/// Something that happened to an object, for people (core/v1 Event).
package struct Event: Hashable, Sendable, Codable {
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

    package struct Source: Hashable, Sendable, Codable {
        package var component: String
        package var host: String
    }

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
        // Events of objects without a namespace lie in this one.
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
