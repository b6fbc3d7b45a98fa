// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// The attributes of one device in order of importance, within the limits of the API.
///
/// One value that exceeds a limit makes the API server refuse a whole slice. Invalid attributes are therefore omitted with a warning; if
/// a device has too many attributes, the least important ones are omitted.
struct AttributeList {
    private(set) var values: [String: DeviceAttribute] = [:]
    /// One line for each omitted attribute, with the reason.
    private(set) var warnings: [String] = []
    private var left: Int
    private var beyond: [String] = []

    /// - Parameter capacities: number of the device's capacities, which count towards the same limit.
    init(capacities: Int = 0) { left = Limits.attributesPerDevice - capacities }

    /// Adds a valid attribute. The first value of a name stays.
    mutating func add(_ name: String, _ value: DeviceAttribute?) {
        guard let value, values[name] == nil else { return }
        if let problem = Limits.problem(name, value) {
            warnings.append("attribute \(name) is omitted: \(problem)")
        } else if left == 0 {
            beyond.append(name)
        } else {
            values[name] = value
            left -= 1
        }
    }

    /// Adds a text, truncated to the size of an attribute; an empty text is not added.
    mutating func add(_ name: String, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        add(name, .string(Limits.attribute(text)))
    }

    mutating func add(_ name: String, _ number: (some BinaryInteger)?) {
        add(name, number.flatMap { Int64(exactly: $0) }.map(DeviceAttribute.int))
    }

    mutating func add(_ name: String, _ truth: Bool?) { add(name, truth.map(DeviceAttribute.bool)) }

    /// Adds sorted texts joined by commas. Elements that do not fit are omitted completely.
    mutating func add(_ name: String, list: [String]) {
        var text = ""
        for element in list.sorted() {
            let longer = text.isEmpty ? element : "\(text),\(element)"
            if longer.utf8.count <= Limits.attributeBytes { text = longer }
        }
        add(name, text)
    }

    /// Adds a warning with the names of the attributes that exceeded the limit.
    mutating func finish() {
        guard !beyond.isEmpty else { return }
        warnings.append(
            "a device has at most \(Limits.attributesPerDevice) attributes: omitted are \(beyond.joined(separator: ", "))")
        beyond = []
    }
}
