// SPDX-License-Identifier: Apache-2.0

/// Formats of names and values that the API server accepts (Kubernetes 1.36: apimachinery, pkg/util/validation and pkg/api/resource;
/// pkg/apis/resource/validation).
///
/// It shares no code with the product, whose own limits are under test.
enum ServerFormats {
    private static let lower = Set("abcdefghijklmnopqrstuvwxyz")
    private static let upper = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    private static let digits = Set("0123456789")

    /// A DNS label of RFC 1123: at most 63 bytes, lower case, with dashes inside.
    static func isLabel(_ text: String) -> Bool {
        guard text.utf8.count <= 63, let first = text.first, let last = text.last else { return false }
        let plain = lower.union(digits)
        return plain.contains(first) && plain.contains(last) && text.allSatisfy { plain.contains($0) || $0 == "-" }
    }

    /// The name of a driver, or the domain of an attribute: a DNS subdomain of at most 63 bytes.
    static func isDomain(_ text: String) -> Bool {
        text.utf8.count <= 63 && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel(String($0)) }
    }

    /// The name part of a label, or its value: at most 63 bytes.
    static func isLabelName(_ text: String) -> Bool {
        guard text.utf8.count <= 63, let first = text.first, let last = text.last else { return false }
        let plain = lower.union(upper).union(digits)
        return plain.contains(first) && plain.contains(last) && text.allSatisfy { plain.contains($0) || "-_.".contains($0) }
    }

    /// The key of a taint: the name of a label, with a domain before it or without.
    static func isLabelKey(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        return switch parts.count {
        case 1: isLabelName(parts[0])
        case 2: isDomain(parts[0]) && isLabelName(parts[1])
        default: false
        }
    }

    /// A problem with the name of an attribute or capacity: a C identifier of at most 32 bytes, with a domain before it or without.
    static func problem(ofName text: String) -> String? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, !isDomain(parts[0]) { return "Invalid value: \"\(parts[0])\": a lowercase RFC 1123 subdomain is required" }
        let name = parts[parts.count - 1]
        let plain = lower.union(upper).union(["_"])
        guard name.utf8.count <= 32, let first = name.first, plain.contains(first), name.allSatisfy(plain.union(digits).contains) else {
            return "Invalid value: \"\(name)\": a valid C identifier of at most 32 bytes is required"
        }
        return nil
    }

    /// A semantic version of at most 64 bytes (semver.org, 2.0.0).
    static func isVersion(_ text: String) -> Bool {
        var rest = text[...]
        var build: Substring?
        var release: Substring?
        if let plus = rest.firstIndex(of: "+") { (rest, build) = (rest[..<plus], rest[rest.index(after: plus)...]) }
        if let dash = rest.firstIndex(of: "-") { (rest, release) = (rest[..<dash], rest[rest.index(after: dash)...]) }
        func isNumber(_ part: Substring) -> Bool { !part.isEmpty && part.allSatisfy(digits.contains) && (part == "0" || part.first != "0") }
        func parts(_ text: Substring) -> [Substring] { text.split(separator: ".", omittingEmptySubsequences: false) }
        let plain = lower.union(upper).union(digits).union(["-"])
        guard text.utf8.count <= 64, parts(rest).count == 3, parts(rest).allSatisfy(isNumber) else { return false }
        for part in (release.map(parts) ?? []) + (build.map(parts) ?? []) where part.isEmpty || !part.allSatisfy(plain.contains) {
            return false
        }
        return (release.map(parts) ?? []).allSatisfy { !$0.allSatisfy(digits.contains) || isNumber($0) }
    }

    /// A quantity: a decimal number with a suffix of powers of 10 or 2, or with a decimal exponent.
    static func isQuantity(_ text: String) -> Bool {
        var rest = text[...]
        if let sign = rest.first, "+-".contains(sign) { rest = rest.dropFirst() }
        let number = rest.prefix { digits.contains($0) || $0 == "." }
        guard number.contains(where: digits.contains), number.count(where: { $0 == "." }) <= 1 else { return false }
        let suffix = rest[number.endIndex...]
        if ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].contains(suffix) { return true }
        guard let mark = suffix.first, "eE".contains(mark) else { return false }
        var exponent = suffix.dropFirst()
        if let sign = exponent.first, "+-".contains(sign) { exponent = exponent.dropFirst() }
        return !exponent.isEmpty && exponent.allSatisfy(digits.contains)
    }
}
