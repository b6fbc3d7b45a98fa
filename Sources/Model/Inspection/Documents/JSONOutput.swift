// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The common format of JSON output.
package enum JSONOutput {
    /// Encodes a document with sorted keys and indentation, and a line end.
    package static func text(_ document: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document), as: UTF8.self) + "\n"
    }
}
