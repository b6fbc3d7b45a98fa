// SPDX-License-Identifier: Apache-2.0

/// Compares a file's text with the text that this program writes for the decoded value.
///
/// A decoder ignores unknown keys, and takes one of two equal keys; the encoded text would differ then. The comparison finds the first
/// such difference, and names its path.
struct JSONComparison {
    private var actual: JSONTokens
    private var expected: JSONTokens

    /// - Parameters:
    ///   - allowsAbsentLists: true if an empty list of `expected` may be absent in `actual`.
    /// - Throws: ``JournalTextError`` for the first difference outside of white space.
    static func check(
        _ actual: [UInt8], against expected: [UInt8], allowsAbsentLists: Bool
    ) throws(JournalTextError) {
        if actual == expected { return }
        var comparison = JSONComparison(actual: JSONTokens(actual), expected: JSONTokens(expected))
        try comparison.check(allowsAbsentLists)
    }

    private mutating func check(_ allowsAbsentLists: Bool) throws(JournalTextError) {
        var (token, wanted) = (try actual.next(), try expected.next())
        while token != nil || wanted != nil {
            if let token, let wanted, actual.bytes[token.range].elementsEqual(expected.bytes[wanted.range]) {
                // The tokens are equal.
            } else if allowsAbsentLists, wanted?.kind == .key, try skipEmptyList() {
                wanted = try expected.next()
                continue
            } else {
                throw try difference(token, wanted)
            }
            (token, wanted) = (try actual.next(), try expected.next())
        }
    }

    /// Skips the value of the key that was read last, if the value is an empty list.
    private mutating func skipEmptyList() throws(JournalTextError) -> Bool {
        var ahead = expected
        guard let open = try ahead.next(), let close = try ahead.next(), close.kind == .close,
            ahead.bytes[open.range] == [UInt8(ascii: "[")]
        else { return false }
        expected = ahead
        return true
    }

    private func difference(_ token: JSONTokens.Token?, _ wanted: JSONTokens.Token?) throws(JournalTextError) -> JournalTextError {
        let found = try actual.keys()
        if token?.kind == .key, let key = token.map({ actual.bytes[$0.range] }) {
            if found.count(where: { $0 == key }) > 1 { return JournalTextError(.duplicateKey, actual.path, "occurs twice") }
            guard try keys(ofExpectedAt: wanted).contains(where: { $0.elementsEqual(key) }) else {
                var ahead = actual
                let isNull = try ahead.next().map { ahead.bytes[$0.range].elementsEqual("null".utf8) } == true
                return isNull
                    ? JournalTextError(.wrongValue, actual.path, "is null; unknown values must be absent")
                    : JournalTextError(.unknownKey, actual.path, "is an unknown key")
            }
        }
        if wanted?.kind == .key, let key = wanted.map({ expected.bytes[$0.range] }) {
            // An object has no more keys after its closing brace.
            return token?.kind == .key && found.contains { $0.elementsEqual(key) }
                ? JournalTextError(.keyOrder, expected.path, "is not in the order of the keys")
                : JournalTextError(.missingKey, expected.path, "is missing")
        }
        // A decoder may have taken the other of two equal keys.
        if let key = actual.frames.last?.key.map({ actual.bytes[$0] }), found.count(where: { $0 == key }) > 1 {
            return JournalTextError(.duplicateKey, actual.path, "occurs twice")
        }
        return JournalTextError(.wrongValue, actual.path, "differs from the form that this program writes")
    }

    /// The keys of the object that contains the expected text, also after its closing brace was read.
    private func keys(ofExpectedAt wanted: JSONTokens.Token?) throws(JournalTextError) -> [ArraySlice<UInt8>] {
        // Both texts were equal up to here, so that an ended object has the same keys in both.
        wanted?.kind == .close ? [] : try expected.keys()
    }
}
