// SPDX-License-Identifier: Apache-2.0

import Primitives

/// An amount in the syntax of Kubernetes: `1`, `80Gi`, `1500m`, `2e3` (apimachinery, pkg/api/resource, Quantity).
///
/// The server may return another text for the same amount, so that equality compares amounts.
package struct Quantity: Hashable, Sendable {
    package let text: String
    /// Amount in units of 10^-9, the API's smallest unit; nil for a text that is not a quantity, which equals only the same text.
    private let nano: Int128?

    package init(_ text: String) {
        self.text = text
        nano = Self.parse(text)
    }

    package init(_ value: some BinaryInteger) { self.init(String(value)) }

    package var isValid: Bool { nano != nil }

    package static func == (left: Quantity, right: Quantity) -> Bool {
        guard let first = left.nano, let second = right.nano else { return left.text == right.text }
        return first == second
    }

    package func hash(into hasher: inout Hasher) {
        if let nano { hasher.combine(nano) } else { hasher.combine(text) }
    }

    private static let suffixes: [(text: String, factor: Int128)] = [
        ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40), ("Pi", 1 << 50), ("Ei", 1 << 60), ("k", 1_000),
        ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000), ("P", 1_000_000_000_000_000), ("E", 1_000_000_000_000_000_000),
    ]
    private static let fractions: [(text: String, divisor: Int128)] = [("n", 1_000_000_000), ("u", 1_000_000), ("m", 1_000)]

    private static func parse(_ text: String) -> Int128? {
        var rest = text[...]
        var isNegative = false
        if let sign = rest.first, sign == "-" || sign == "+" {
            isNegative = sign == "-"
            rest = rest.dropFirst()
        }
        let whole = rest.prefix { $0.asciiValue?.isASCIIDigit == true }
        rest = rest[whole.endIndex...]
        var fraction = ""[...]
        if rest.first == "." {
            rest = rest.dropFirst()
            fraction = rest.prefix { $0.asciiValue?.isASCIIDigit == true }
            rest = rest[fraction.endIndex...]
        }
        // Amounts of devices have fewer digits; within this limit only the factor can overflow.
        guard whole.count + fraction.count > 0, whole.count <= 18, fraction.count <= 9,
            var value = Int128(whole + fraction + String(repeating: "0", count: 9 - fraction.count))
        else { return nil }
        if let suffix = suffixes.first(where: { $0.text == rest }) {
            let (product, overflow) = value.multipliedReportingOverflow(by: suffix.factor)
            guard !overflow else { return nil }
            value = product
        } else if let suffix = fractions.first(where: { $0.text == rest }) {
            value /= suffix.divisor
        } else if let mark = rest.first, mark == "e" || mark == "E", let exponent = Int(rest.dropFirst()), (-18...18).contains(exponent) {
            for _ in 0..<abs(exponent) {
                if exponent < 0 {
                    value /= 10
                } else {
                    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                    guard !overflow else { return nil }
                    value = product
                }
            }
        } else if !rest.isEmpty {
            return nil
        }
        return isNegative ? -value : value
    }
}

extension Quantity: ExpressibleByStringLiteral, CustomStringConvertible {
    package init(stringLiteral text: String) { self.init(text) }
    package var description: String { text }
}

extension Quantity: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // The API accepts a number as well as a string.
        if let number = try? container.decode(Int64.self) { self.init(number) } else { self.init(try container.decode(String.self)) }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
