// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// The rules for which the real API server refuses a ResourceSlice as a whole (pkg/apis/resource/validation of Kubernetes
/// 1.36). Pure: one problem for each field.
struct SliceRules {
    /// Where, and what is wrong, as in the causes of a Status.
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
        if !Limits.isDriverName(spec["driver"].text) { refuse("spec.driver", "must be a DNS subdomain of at most 63 bytes") }
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
            for (name, counter) in counters where !isLabel(name) || !Quantity(counter["value"].text).isValid {
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
            if !isLabel(device["name"].text) { refuse("\(field).name", "Invalid value: must be a DNS label") }
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
            guard case .object(let fields) = value, fields.count == 1,
                let decoded = fields.first.flatMap({ Self.attribute($0.key, $0.value) })
            else {
                refuse(place, "exactly one value must be specified")
                continue
            }
            if let problem = Limits.problem(key, decoded) { refuse(place, problem) }
        }
        for (key, value) in capacity {
            let place = "\(field).capacity[\(key)]"
            if !Quantity(value["value"].text).isValid { refuse("\(place).value", "Invalid value") }
            guard let policy = value["requestPolicy"] else { continue }
            if device["allowMultipleAllocations"] != .bool(true) {
                refuse("\(place).requestPolicy", "must not be set unless allowMultipleAllocations is true")
            }
            if !Quantity(policy["default"].text).isValid { refuse("\(place).requestPolicy.default", "Required value") }
            if policy["validRange"] != nil, !Quantity(policy["validRange"]?["min"].text ?? "").isValid {
                refuse("\(place).requestPolicy.validRange.min", "Required value")
            }
        }
    }

    private static func attribute(_ kind: String, _ value: JSONValue) -> DeviceAttribute? {
        switch (kind, value) {
        case ("int", .integer(let number)): .int(number)
        case ("bool", .bool(let truth)): .bool(truth)
        case ("string", .string(let text)): .string(text)
        case ("version", .string(let text)): .version(text)
        default: nil
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
            let parts = taint["key"].text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            if parts.isEmpty || parts.count > 2 || !isName(parts[parts.count - 1]) || parts.count == 2 && !Limits.isDriverName(parts[0]) {
                refuse("\(field).taints[\(index)].key", "Invalid value: must be a label name")
            }
            if taint["value"] != nil, !taint["value"].text.isEmpty, !isName(taint["value"].text) {
                refuse("\(field).taints[\(index)].value", "Invalid value: must be a label value")
            }
            if DeviceTaint.Effect(rawValue: taint["effect"].text) == nil {
                refuse("\(field).taints[\(index)].effect", "Unsupported value: \"\(taint["effect"].text)\"")
            }
        }
    }

    private func isLabel(_ text: String) -> Bool { text == Limits.label(text) }

    /// Names and values of labels.
    private func isName(_ text: String) -> Bool {
        let isPlain = { (byte: UInt8) in (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) }
        guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.count <= 63 else { return false }
        return isPlain(first) && isPlain(last) && text.utf8.allSatisfy { isPlain($0) || [0x2d, 0x2e, 0x5f].contains($0) }
    }
}

extension JSONValue? {
    var text: String { if case .string(let text)? = self { text } else { "" } }
    var integer: Int64? { if case .integer(let number)? = self { number } else { nil } }
    var elements: [JSONValue] { if case .array(let elements)? = self { elements } else { [] } }
    var members: [String: JSONValue] { if case .object(let members)? = self { members } else { [:] } }
}
