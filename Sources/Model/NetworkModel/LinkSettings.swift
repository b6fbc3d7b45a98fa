// SPDX-License-Identifier: Apache-2.0

/// Settings of an interface besides its identity: all settings that can change in another namespace.
package struct LinkSettings: Hashable, Sendable, Codable {
    /// IFF_ flags that are settings, and not state of the kernel: see ``settableFlags``.
    package var flags: UInt32
    package var txQueueLength: UInt32
    package var group: UInt32
    package var sizes: SegmentSizes
    /// IPv4 settings, indexed by their number minus one (linux/ip.h, IPV4_DEVCONF_).
    package var ipv4: [UInt32]
    /// IPv6 settings, indexed by their number (linux/ipv6.h, DEVCONF_).
    package var ipv6: [Int32]

    package init(
        flags: UInt32, txQueueLength: UInt32 = 0, group: UInt32 = 0, sizes: SegmentSizes = SegmentSizes(), ipv4: [UInt32] = [],
        ipv6: [Int32] = []
    ) {
        self.flags = flags
        self.txQueueLength = txQueueLength
        self.group = group
        self.sizes = sizes
        self.ipv4 = ipv4
        self.ipv6 = ipv6
    }

    /// The IPv4 settings in which the other value differs, as number and value of this one.
    package func ipv4Missing(from other: LinkSettings) -> [Int: UInt32] {
        var missing: [Int: UInt32] = [:]
        for (index, value) in ipv4.enumerated() where index < other.ipv4.count && other.ipv4[index] != value { missing[index + 1] = value }
        return missing
    }

    /// The differing IPv6 settings, by file name in /proc/sys/net/ipv6/conf/IF, because rtnetlink cannot set them.
    package func ipv6Missing(from other: LinkSettings) -> [(name: String, value: Int32)] {
        InterfaceSettings.ipv6.compactMap { name, number in
            guard number < ipv6.count, number < other.ipv6.count, ipv6[number] != other.ipv6[number] else { return nil }
            return (name, ipv6[number])
        }
    }
}
