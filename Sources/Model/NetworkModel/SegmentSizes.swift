// SPDX-License-Identifier: Apache-2.0

/// Limits of segmentation and receive offload for an interface, in bytes.
package struct SegmentSizes: Hashable, Sendable, Codable {
    package var gso: UInt32?
    package var gro: UInt32?
    package var gsoIPv4: UInt32?
    package var groIPv4: UInt32?
    /// The limit in segments.
    package var segments: UInt32?

    package init(gso: UInt32? = nil, gro: UInt32? = nil, gsoIPv4: UInt32? = nil, groIPv4: UInt32? = nil, segments: UInt32? = nil) {
        self.gso = gso
        self.gro = gro
        self.gsoIPv4 = gsoIPv4
        self.groIPv4 = groIPv4
        self.segments = segments
    }

    /// Returns the sizes of this value that differ from the other's; the others are nil.
    package func missing(from other: SegmentSizes) -> SegmentSizes {
        SegmentSizes(
            gso: gso == other.gso ? nil : gso, gro: gro == other.gro ? nil : gro, gsoIPv4: gsoIPv4 == other.gsoIPv4 ? nil : gsoIPv4,
            groIPv4: groIPv4 == other.groIPv4 ? nil : groIPv4, segments: segments == other.segments ? nil : segments)
    }
}
