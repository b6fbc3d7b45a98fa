// SPDX-License-Identifier: Apache-2.0

/// The comparison of a file's text with the text that this program writes for the decoded value.
///
/// A decoder ignores a key that it does not know and takes one of two equal keys: written again, the file would not be the same. The
/// comparison finds these, and names the path of the first.
struct JSONComparison {
    private var actual: JSONTokens
    private var expected: JSONTokens

    /// - Parameters:
    ///   - allowsAbsentLists: true when an empty list of `expected` may be absent from `actual`.
    /// - Throws: ``JournalTextError`` for the first difference that is not white space.
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
                // The same text.
            } else if allowsAbsentLists, wanted?.kind == .key, try skipEmptyList() {
                wanted = try expected.next()
                continue
            } else {
                throw try difference(token, wanted)
            }
            (token, wanted) = (try actual.next(), try expected.next())
        }
    }

    /// Skips the value of the key that was read last, if it is an empty list.
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
            if found.count(where: { $0 == key }) > 1 { return JournalTextError(.duplicateKey, actual.path, "is there twice") }
            guard try keys(ofExpectedAt: wanted).contains(where: { $0.elementsEqual(key) }) else {
                var ahead = actual
                let isNull = try ahead.next().map { ahead.bytes[$0.range].elementsEqual("null".utf8) } == true
                return isNull
                    ? JournalTextError(.wrongValue, actual.path, "is null; what is unknown is left out")
                    : JournalTextError(.unknownKey, actual.path, "is an unknown key")
            }
        }
        if wanted?.kind == .key, let key = wanted.map({ expected.bytes[$0.range] }) {
            // After its closing brace an object has no keys to come.
            return token?.kind == .key && found.contains { $0.elementsEqual(key) }
                ? JournalTextError(.keyOrder, expected.path, "is not in the order of the keys")
                : JournalTextError(.missingKey, expected.path, "is missing")
        }
        // A decoder may have taken the other one of two equal keys.
        if let key = actual.frames.last?.key.map({ actual.bytes[$0] }), found.count(where: { $0 == key }) > 1 {
            return JournalTextError(.duplicateKey, actual.path, "is there twice")
        }
        return JournalTextError(.wrongValue, actual.path, "is not written as this program writes it")
    }

    /// The keys of the object in which the expected text is, also when its closing brace was read already.
    private func keys(ofExpectedAt wanted: JSONTokens.Token?) throws(JournalTextError) -> [ArraySlice<UInt8>] {
        // Both texts were the same up to here: an object that has ended has no more keys than the other one has had.
        wanted?.kind == .close ? [] : try expected.keys()
    }
}
