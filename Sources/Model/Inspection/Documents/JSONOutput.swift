// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The common form of all JSON that the programs print.
package enum JSONOutput {
    package static func text(_ document: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document), as: UTF8.self) + "\n"
    }
}
