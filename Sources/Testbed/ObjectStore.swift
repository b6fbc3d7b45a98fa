// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// The objects of the Testbed's API server, with the rules of the real one that a driver can run into. Pure.
package struct ObjectStore: Sendable {
    /// An answer that is not the object: status code and reason as the real server gives them.
    package struct Refusal: Error, Hashable, Sendable {
        package var code: Int
        package var reason: String
        package var message: String
    }

    package struct Change: Hashable, Sendable {
        package var version: Int
        package var collection: String
        package var type: String
        package var object: JSONValue
    }

    private var objects: [String: [String: JSONValue]] = [:]
    /// All changes since the start: watches begin anywhere in them.
    package private(set) var changes: [Change] = []
    package private(set) var version = 1
    private var nextUID = 1

    /// As a server without the feature gate DRAPartitionableDevices.
    package var dropsCounters = false

    package init() {}

    private func array(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let elements)? = value { return elements }
        return []
    }

    private func count(_ value: JSONValue?) -> Int {
        if case .object(let members)? = value { return members.count }
        return 0
    }

    package func list(_ collection: String) -> [JSONValue] {
        (objects[collection] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    package func get(_ collection: String, _ name: String) throws(Refusal) -> JSONValue {
        guard let object = objects[collection]?[name] else {
            throw Refusal(code: 404, reason: "NotFound", message: "\(collection) \"\(name)\" not found")
        }
        return object
    }

    package mutating func create(_ collection: String, _ object: JSONValue) throws(Refusal) -> JSONValue {
        let object = dropping(object)
        try validate(collection, object)
        guard case .object(var members) = object, case .object(var metadata) = members["metadata"] ?? .object([:]) else {
            throw Refusal(code: 400, reason: "BadRequest", message: "the body is no object")
        }
        if metadata["name"] == nil, case .string(let prefix) = metadata["generateName"] {
            // The server cuts the base at 58 bytes and adds five characters.
            metadata["name"] = .string(String(prefix.prefix(58)) + "x" + String(10000 + nextUID).suffix(4))
        }
        guard case .string(let name) = metadata["name"] else {
            throw Refusal(code: 422, reason: "Invalid", message: "metadata.name: Required value")
        }
        guard objects[collection]?[name] == nil else {
            throw Refusal(code: 409, reason: "AlreadyExists", message: "\(collection) \"\(name)\" already exists")
        }
        if metadata["uid"] == nil { metadata["uid"] = .string("uid-\(nextUID)") }
        nextUID += 1
        members["metadata"] = .object(metadata)
        return store(collection, name, members, "ADDED")
    }

    package mutating func replace(
        _ collection: String, _ name: String, _ object: JSONValue
    ) throws(Refusal) -> JSONValue {
        let object = dropping(object)
        try validate(collection, object)
        let known = try get(collection, name)
        guard case .object(let members) = object else {
            throw Refusal(code: 400, reason: "BadRequest", message: "the body is no object")
        }
        let wanted = object["metadata"]?["resourceVersion"]
        if let wanted, wanted != known["metadata"]?["resourceVersion"] {
            throw Refusal(code: 409, reason: "Conflict", message: "the object has been modified")
        }
        // An unchanged object is not written, and gets no new version.
        if known["spec"] == object["spec"] { return known }
        return store(collection, name, members, "MODIFIED")
    }

    package mutating func delete(_ collection: String, _ name: String, _ options: JSONValue?) throws(Refusal) {
        let known = try get(collection, name)
        for key in ["uid", "resourceVersion"] {
            if let wanted = options?["preconditions"]?[key], wanted != known["metadata"]?[key] {
                throw Refusal(code: 409, reason: "Conflict", message: "the \(key) in the precondition does not match")
            }
        }
        objects[collection]?[name] = nil
        version += 1
        guard case .object(var members) = known, case .object(var metadata) = members["metadata"] else { return }
        metadata["resourceVersion"] = .string(String(version))
        members["metadata"] = .object(metadata)
        changes.append(Change(version: version, collection: collection, type: "DELETED", object: .object(members)))
    }

    private mutating func store(
        _ collection: String, _ name: String, _ members: [String: JSONValue], _ type: String
    ) -> JSONValue {
        version += 1
        var members = members
        guard case .object(var metadata) = members["metadata"] else { return .object(members) }
        metadata["resourceVersion"] = .string(String(version))
        members["metadata"] = .object(metadata)
        objects[collection, default: [:]][name] = .object(members)
        changes.append(Change(version: version, collection: collection, type: type, object: .object(members)))
        return .object(members)
    }

    /// What a server without the feature gate of partitionable devices makes of a slice.
    private func dropping(_ object: JSONValue) -> JSONValue {
        guard dropsCounters, case .object(var members) = object, case .object(var spec) = members["spec"] else { return object }
        spec["sharedCounters"] = nil
        if case .array(let devices) = spec["devices"] {
            spec["devices"] = .array(
                devices.map { device in
                    guard case .object(var fields) = device else { return device }
                    fields["consumesCounters"] = nil
                    return .object(fields)
                })
        }
        members["spec"] = .object(spec)
        return .object(members)
    }

    /// The limits that a slice is refused for as a whole.
    private func validate(_ collection: String, _ object: JSONValue) throws(Refusal) {
        guard collection == "resourceslices" else { return }
        func refuse(_ message: String) throws(Refusal) -> Never {
            throw Refusal(code: 422, reason: "Invalid", message: message)
        }
        guard case .array(let devices) = object["spec"]?["devices"] ?? .array([]) else {
            try refuse("spec.devices: Invalid value")
        }
        if object["spec"]?["sharedCounters"] != nil, object["spec"]?["devices"] != nil {
            try refuse("spec: Invalid value: only one of devices and sharedCounters may be set")
        }
        for set in array(object["spec"]?["sharedCounters"]) where count(set["counters"]) > 32 {
            try refuse("spec.sharedCounters.counters: Too many: must have at most 32 items")
        }
        let consumers = devices.filter { $0["consumesCounters"] != nil }
        if !consumers.isEmpty, devices.count > 64 { try refuse("spec.devices: Too many: \(devices.count): must have at most 64 items") }
        for consumer in consumers {
            let used = array(consumer["consumesCounters"])
            if used.isEmpty || used.count > 2 || used.contains(where: { !(1...32).contains(count($0["counters"])) }) {
                try refuse("spec.devices.consumesCounters: Invalid value")
            }
        }
        if devices.count > 128 { try refuse("spec.devices: Too many: \(devices.count): must have at most 128 items") }
        var names: Set<String> = []
        for device in devices {
            guard case .string(let name) = device["name"], name == Limits.label(name), names.insert(name).inserted else {
                try refuse("spec.devices.name: Invalid or duplicate value")
            }
            guard case .object(let attributes) = device["attributes"] ?? .object([:]) else { continue }
            if attributes.count > 32 { try refuse("spec.devices[\(name)].attributes: Too many: \(attributes.count)") }
            for (key, value) in attributes {
                if case .string(let text) = value["string"], text.utf8.count > 64 {
                    try refuse("spec.devices[\(name)].attributes[\(key)].string: Too long")
                }
            }
        }
    }
}
