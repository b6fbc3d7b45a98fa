// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// The rules by which the real API server refuses a whole ResourceSlice (pkg/apis/resource/validation of Kubernetes 1.36), with
/// independent literals. Pure: one problem for each field.
struct SliceRules {
    /// The field and the message of each problem, as in the causes of a Status.
    private(set) var problems: [(field: String, message: String)] = []

    private mutating func refuse(_ field: String, _ message: String) { problems.append((field, message)) }

    init(_ object: JSONValue, replacing old: JSONValue? = nil) {
        let spec = object["spec"] ?? .null
        if let old = old?["spec"] {
            for (field, path) in [("driver", ["driver"]), ("nodeName", ["nodeName"]), ("pool.name", ["pool", "name"])] {
                let (before, after) = (path.reduce(old as JSONValue?) { $0?[$1] }, path.reduce(spec as JSONValue?) { $0?[$1] })
                if before != after { refuse("spec.\(field)", "field is immutable") }
            }
        }
        if !ServerFormats.isDomain(spec["driver"].text) { refuse("spec.driver", "must be a DNS subdomain of at most 63 bytes") }
        if spec["nodeName"].text.isEmpty { refuse("spec.nodeName", "exactly one of nodeName, nodeSelector, allNodes must be set") }
        if spec["pool"]?["name"].text.isEmpty != false { refuse("spec.pool.name", "Required value") }
        if (spec["pool"]?["resourceSliceCount"].integer ?? 0) < 1 { refuse("spec.pool.resourceSliceCount", "must be greater than zero") }
        if (spec["pool"]?["generation"].integer ?? -1) < 0 { refuse("spec.pool.generation", "must be greater than or equal to zero") }
        if spec["sharedCounters"] != nil, spec["devices"] != nil {
            refuse("spec", "only one of devices and sharedCounters may be set")
        }
        checkCounterSets(spec["sharedCounters"].elements)
        checkDevices(spec["devices"].elements)
    }

    private mutating func checkCounterSets(_ sets: [JSONValue]) {
        if sets.count > 8 { refuse("spec.sharedCounters", "Too many: \(sets.count): must have at most 8 items") }
        for (index, set) in sets.enumerated() {
            let counters = set["counters"].members
            if counters.isEmpty || counters.count > 32 {
                refuse("spec.sharedCounters[\(index)].counters", "Too many: must have at most 32 items")
            }
            for (name, counter) in counters where !ServerFormats.isLabel(name) || !ServerFormats.isQuantity(counter["value"].text) {
                refuse("spec.sharedCounters[\(index)].counters[\(name)]", "Invalid value")
            }
        }
    }

    private mutating func checkDevices(_ devices: [JSONValue]) {
        let isHeavy = devices.contains { !$0["consumesCounters"].elements.isEmpty || !$0["taints"].elements.isEmpty }
        let limit = isHeavy ? 64 : 128
        if devices.count > limit { refuse("spec.devices", "Too many: \(devices.count): must have at most \(limit) items") }
        var names: Set<String> = []
        for (index, device) in devices.enumerated() {
            let field = "spec.devices[\(index)]"
            if !ServerFormats.isLabel(device["name"].text) { refuse("\(field).name", "Invalid value: must be a DNS label") }
            if !names.insert(device["name"].text).inserted { refuse("\(field).name", "Duplicate value") }
            checkValues(device, field)
            checkCounters(device["consumesCounters"].elements, field)
            checkTaints(device["taints"].elements, field)
        }
    }

    private mutating func checkValues(_ device: JSONValue, _ field: String) {
        let (attributes, capacity) = (device["attributes"].members, device["capacity"].members)
        if attributes.count + capacity.count > 32 {
            refuse("\(field)", "Too many: \(attributes.count + capacity.count): must have at most 32 attributes and capacities")
        }
        for (key, value) in attributes {
            let place = "\(field).attributes[\(key)]"
            if let problem = ServerFormats.problem(ofName: key) { refuse(place, problem) }
            guard case .object(let fields) = value, fields.count == 1, let (kind, content) = fields.first else {
                refuse(place, "exactly one value must be specified")
                continue
            }
            if let problem = Self.problem(of: kind, content) { refuse(place, problem) }
        }
        for (key, value) in capacity {
            let place = "\(field).capacity[\(key)]"
            if let problem = ServerFormats.problem(ofName: key) { refuse(place, problem) }
            if !ServerFormats.isQuantity(value["value"].text) { refuse("\(place).value", "Invalid value") }
            guard let policy = value["requestPolicy"] else { continue }
            if device["allowMultipleAllocations"] != .bool(true) {
                refuse("\(place).requestPolicy", "must not be set unless allowMultipleAllocations is true")
            }
            if !ServerFormats.isQuantity(policy["default"].text) { refuse("\(place).requestPolicy.default", "Required value") }
            if policy["validRange"] != nil, !ServerFormats.isQuantity(policy["validRange"]?["min"].text ?? "") {
                refuse("\(place).requestPolicy.validRange.min", "Required value")
            }
        }
    }

    private static func problem(of kind: String, _ value: JSONValue) -> String? {
        switch (kind, value) {
        case ("int", .integer), ("bool", .bool): nil
        case ("string", .string(let text)): (1...64).contains(text.utf8.count) ? nil : "Too long: must have 1 to 64 bytes"
        case ("version", .string(let text)):
            ServerFormats.isVersion(text) ? nil : "Invalid value: must be a semantic version of at most 64 bytes"
        default: "exactly one value must be specified"
        }
    }

    private mutating func checkCounters(_ used: [JSONValue], _ field: String) {
        if used.count > 2 { refuse("\(field).consumesCounters", "Too many: must have at most 2 items") }
        if Set(used.map { $0["counterSet"].text }).count != used.count { refuse("\(field).consumesCounters", "Duplicate value") }
        for (index, entry) in used.enumerated() where !(1...32).contains(entry["counters"].members.count) {
            refuse("\(field).consumesCounters[\(index)].counters", "must have 1 to 32 items")
        }
    }

    private mutating func checkTaints(_ taints: [JSONValue], _ field: String) {
        if taints.count > 16 { refuse("\(field).taints", "Too many: must have at most 16 items") }
        for (index, taint) in taints.enumerated() {
            if !ServerFormats.isLabelKey(taint["key"].text) {
                refuse("\(field).taints[\(index)].key", "Invalid value: must be a label name")
            }
            if taint["value"] != nil, !taint["value"].text.isEmpty, !ServerFormats.isLabelName(taint["value"].text) {
                refuse("\(field).taints[\(index)].value", "Invalid value: must be a label value")
            }
            if !["None", "NoSchedule", "NoExecute"].contains(taint["effect"].text) {
                refuse("\(field).taints[\(index)].effect", "Unsupported value: \"\(taint["effect"].text)\"")
            }
        }
    }
}

extension JSONValue? {
    var text: String { if case .string(let text)? = self { text } else { "" } }
    var integer: Int64? { if case .integer(let number)? = self { number } else { nil } }
    var elements: [JSONValue] { if case .array(let elements)? = self { elements } else { [] } }
    var members: [String: JSONValue] { if case .object(let members)? = self { members } else { [:] } }
}
