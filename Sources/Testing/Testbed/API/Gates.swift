// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// Features that a cluster can have disabled: the server then drops their fields from writes.
package enum FeatureGate: String, Hashable, Sendable, CaseIterable {
    case partitionableDevices, deviceTaints, consumableCapacity

    static func dropping(_ off: Set<FeatureGate>, from object: JSONValue) -> JSONValue {
        guard !off.isEmpty, case .object(var members) = object, case .object(var spec) = members["spec"] else { return object }
        if off.contains(.partitionableDevices) { spec["sharedCounters"] = nil }
        if case .array(let devices) = spec["devices"] {
            spec["devices"] = .array(
                devices.map { device in
                    guard case .object(var fields) = device else { return device }
                    if off.contains(.partitionableDevices) { fields["consumesCounters"] = nil }
                    if off.contains(.deviceTaints) { fields["taints"] = nil }
                    if off.contains(.consumableCapacity) {
                        fields["allowMultipleAllocations"] = nil
                        let capacity = fields["capacity"].members.mapValues { value -> JSONValue in
                            var value = (value as JSONValue?).members
                            value["requestPolicy"] = nil
                            return .object(value)
                        }
                        if fields["capacity"] != nil { fields["capacity"] = .object(capacity) }
                    }
                    return .object(fields)
                })
        }
        members["spec"] = .object(spec)
        return .object(members)
    }
}

/// The form of a slice in different versions of the API: all except v1beta1 are equal.
enum SliceShape {
    /// Converts from the version of a request to the stored version, v1.
    static func stored(_ object: JSONValue, from version: ResourceAPIVersion) -> JSONValue {
        guard version == .v1beta1 else { return object }
        return changingDevices(of: object) { fields in
            var own = fields
            own["basic"] = nil
            return own.merging(fields["basic"].members) { $1 }
        }
    }

    /// Converts from the stored version.
    static func shown(_ object: JSONValue, in version: ResourceAPIVersion) -> JSONValue {
        guard case .object(var members) = object, members["spec"]?["pool"] != nil else { return object }
        members["apiVersion"] = .string(version.groupVersion)
        guard version == .v1beta1 else { return .object(members) }
        return changingDevices(of: .object(members)) { fields in
            var basic = fields
            basic["name"] = nil
            return ["name": fields["name"] ?? .null, "basic": .object(basic)]
        }
    }

    private static func changingDevices(of object: JSONValue, _ change: ([String: JSONValue]) -> [String: JSONValue]) -> JSONValue {
        guard case .object(var members) = object, case .object(var spec) = members["spec"], case .array(let devices) = spec["devices"]
        else {
            return object
        }
        spec["devices"] = .array(devices.map { .object(change(($0 as JSONValue?).members)) })
        members["spec"] = .object(spec)
        return .object(members)
    }
}
