// SPDX-License-Identifier: Apache-2.0

/// A VRF in a pod to which an interface belongs (Documentation/networking/vrf.rst).
package struct VRF: Hashable, Sendable, Codable {
    package var name: String
    package var table: UInt32

    /// - Parameter table: nil for a table from 1000 to 1999, derived from the name.
    package init(name: String, table: UInt32? = nil) {
        self.name = name
        self.table = table ?? Self.table(for: name)
    }

    /// FNV-1a of 32 bits, as in DRANET.
    private static func table(for name: String) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash % 1000 + 1000
    }
}
