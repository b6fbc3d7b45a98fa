// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// The attributes of one device in the order of their importance, held to what the API takes.
///
/// One value that breaks a limit makes the API server refuse a whole slice, and with it every other device in it. So what
/// cannot be valid stays out and is told of, and what is beyond the number of entries is what matters least.
struct AttributeList {
    private(set) var values: [String: DeviceAttribute] = [:]
    /// What was left out, and why: one line each.
    private(set) var remarks: [String] = []
    private var left: Int
    private var beyond: [String] = []

    /// - Parameter capacities: how many entries the device's capacities take: they count too.
    init(capacities: Int = 0) { left = Limits.attributesPerDevice - capacities }

    /// The first value that a name is given stays.
    mutating func add(_ name: String, _ value: DeviceAttribute?) {
        guard let value, values[name] == nil else { return }
        if let problem = Limits.problem(name, value) {
            remarks.append("attribute \(name) is left out: \(problem)")
        } else if left == 0 {
            beyond.append(name)
        } else {
            values[name] = value
            left -= 1
        }
    }

    /// A text, cut to what an attribute can hold; an empty one says nothing.
    mutating func add(_ name: String, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        add(name, .string(Limits.attribute(text)))
    }

    mutating func add(_ name: String, _ number: (some BinaryInteger)?) {
        add(name, number.flatMap { Int64(exactly: $0) }.map(DeviceAttribute.int))
    }

    mutating func add(_ name: String, _ truth: Bool?) { add(name, truth.map(DeviceAttribute.bool)) }

    /// Texts in order, with commas; those that do not fit any more are left out whole.
    mutating func add(_ name: String, list: [String]) {
        var text = ""
        for element in list.sorted() {
            let longer = text.isEmpty ? element : "\(text),\(element)"
            if longer.utf8.count <= Limits.attributeBytes { text = longer }
        }
        add(name, text)
    }

    /// Says what there was no room for.
    mutating func finish() {
        guard !beyond.isEmpty else { return }
        remarks.append(
            "a device has at most \(Limits.attributesPerDevice) attributes: left out are \(beyond.joined(separator: ", "))")
        beyond = []
    }
}
