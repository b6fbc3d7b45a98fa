// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// The objects of the Testbed's API server, with the rules of the real server that affect a driver. Pure.
package struct ObjectStore: Sendable {
    /// An error answer with status code and reason of the real server.
    package struct Refusal: Error, Hashable, Sendable {
        package var code: Int
        package var reason: String
        package var message: String
        /// The requested object.
        package var object: String?
        package var causes: [JSONValue] = []

        init(code: Int, reason: String, message: String, object: String? = nil) {
            self.code = code
            self.reason = reason
            self.message = message
            self.object = object
        }

        /// 422 with the problems, field by field.
        init(invalid kind: String, _ causes: [(field: String, reason: String, message: String)]) {
            self.init(
                code: 422, reason: "Invalid",
                message: "\(kind) is invalid: " + causes.map { "\($0.field): \($0.message)" }.joined(separator: ", "), object: "")
            self.causes = causes.map {
                .object(["field": .string($0.field), "reason": .string($0.reason), "message": .string($0.message)])
            }
        }

        static let gone = Refusal(code: 410, reason: "Expired", message: "too old resource version")
    }

    package struct Change: Hashable, Sendable {
        package var version: Int
        package var collection: String
        package var type: String
        package var object: JSONValue
    }

    private var objects: [String: [String: JSONValue]] = [:]
    /// All changes since the start; a watch can begin at any of them.
    package private(set) var changes: [Change] = []
    package private(set) var version = 1
    private var nextUID = 1

    package var gatesOff: Set<FeatureGate> = []
    /// The objects that the token may write; nil for all objects.
    package var admission: AdmissionRules?
    /// The first version at which a watch can begin.
    package private(set) var oldest = 0
    /// Keys of the entries of each claim's status, by the manager that applied them.
    private var applied: [String: Set<[String]>] = [:]

    package init() {}

    /// Drops all changes, so that watches have to begin again.
    package mutating func compact() {
        oldest = version
        changes = []
    }

    package func list(_ collection: String) -> [JSONValue] {
        (objects[collection] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    package func get(_ collection: String, _ name: String) throws(Refusal) -> JSONValue {
        guard let object = objects[collection]?[name] else {
            throw Refusal(code: 404, reason: "NotFound", message: "\(collection) \"\(name)\" not found", object: name)
        }
        return object
    }

    package mutating func create(_ collection: String, _ object: JSONValue) throws(Refusal) -> JSONValue {
        let object = timed(FeatureGate.dropping(gatesOff, from: object))
        try admit(collection, object)
        try validate(collection, object)
        guard case .object(var members) = object, case .object(var metadata) = members["metadata"] ?? .object([:]) else {
            throw Refusal(code: 400, reason: "BadRequest", message: "the body is not an object")
        }
        if metadata["name"] == nil, case .string(let prefix) = metadata["generateName"] {
            // The server truncates the base to 58 bytes and appends five characters.
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
        let object = timed(FeatureGate.dropping(gatesOff, from: object))
        let known = try get(collection, name)
        for object in [known, object] { try admit(collection, object) }
        try validate(collection, object, replacing: known)
        guard case .object(let members) = object else {
            throw Refusal(code: 400, reason: "BadRequest", message: "the body is not an object")
        }
        let wanted = object["metadata"]?["resourceVersion"]
        if let wanted, wanted != known["metadata"]?["resourceVersion"] {
            throw Refusal(code: 409, reason: "Conflict", message: "the object has been modified")
        }
        // An unchanged object is not written, and keeps its version.
        if known["spec"] == object["spec"], known["metadata"]?["ownerReferences"] == object["metadata"]?["ownerReferences"] { return known }
        return store(collection, name, members, "MODIFIED")
    }

    package mutating func delete(_ collection: String, _ name: String, _ options: JSONValue?) throws(Refusal) {
        let known = try get(collection, name)
        for key in ["uid", "resourceVersion"] {
            if let wanted = options?["preconditions"]?[key], wanted != known["metadata"]?[key] {
                throw Refusal(code: 409, reason: "Conflict", message: "the \(key) in the precondition does not match")
            }
        }
        try admit(collection, known)
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

    /// Sets the time of new taints.
    private func timed(_ object: JSONValue) -> JSONValue {
        guard case .object(var members) = object, case .object(var spec) = members["spec"], case .array(let devices) = spec["devices"]
        else {
            return object
        }
        spec["devices"] = .array(
            devices.map { device in
                guard case .object(var fields) = device, case .array(let taints) = fields["taints"] else { return device }
                fields["taints"] = .array(
                    taints.map { taint in
                        var taint = (taint as JSONValue?).members
                        if taint["timeAdded"] == nil { taint["timeAdded"] = .string("2026-01-01T00:00:\(10 + version % 50)Z") }
                        return .object(taint)
                    })
                return .object(fields)
            })
        members["spec"] = .object(spec)
        return .object(members)
    }

    private func admit(_ collection: String, _ object: JSONValue) throws(Refusal) {
        if collection == "resourceslices" { try admission?.judge(slice: object) }
    }

    private func validate(_ collection: String, _ object: JSONValue, replacing old: JSONValue? = nil) throws(Refusal) {
        guard collection == "resourceslices" else { return }
        let problems = SliceRules(object, replacing: old).problems
        guard problems.isEmpty else {
            throw Refusal(invalid: "ResourceSlice", problems.map { ($0.field, "FieldValueInvalid", $0.message) })
        }
    }

    /// Server-side apply of a claim's `status.devices`.
    package mutating func applyStatus(_ collection: String, _ name: String, _ patch: JSONValue, manager: String) throws(Refusal)
        -> JSONValue
    {
        let claim = try get(collection, name)
        let key = "\(collection)/\(name)/\(manager)"
        var owned = applied[key] ?? []
        let changed = try ClaimStatusRules.applied(patch, to: claim, owned: &owned)
        try admission?.judge(claim: claim, becomes: changed)
        applied[key] = owned
        if changed == claim { return claim }
        return store(collection, name, (changed as JSONValue?).members, "MODIFIED")
    }
}
