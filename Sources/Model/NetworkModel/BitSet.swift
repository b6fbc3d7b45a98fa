// SPDX-License-Identifier: Apache-2.0

/// A bit set of ethtool in its compact form: as many bits as the kernel or the driver knows.
package struct BitSet: Hashable, Sendable, Codable {
    package var size: UInt32
    package var words: [UInt32]

    package init(size: UInt32, words: [UInt32]) {
        self.size = size
        self.words = words
    }
}
