// SPDX-License-Identifier: Apache-2.0

/// A bit set of ethtool in its compact form, with all bits that the kernel or the driver supports.
package struct BitSet: Hashable, Sendable, Codable {
    package var size: UInt32
    package var words: [UInt32]

    package init(size: UInt32, words: [UInt32]) {
        self.size = size
        self.words = words
    }
}
