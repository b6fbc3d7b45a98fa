// SPDX-License-Identifier: Apache-2.0

/// Settings of an interface besides its identity: all that a stay in another namespace can change.
package struct LinkSettings: Hashable, Sendable, Codable {
    /// IFF_ flags that are settings and not state of the kernel: see ``settableFlags``.
    package var flags: UInt32
    package var txQueueLength: UInt32
    package var group: UInt32
    package var sizes: SegmentSizes
    /// IPv4 settings, by their number less one (linux/ip.h, IPV4_DEVCONF_).
    package var ipv4: [UInt32]
    /// IPv6 settings, by their number (linux/ipv6.h, DEVCONF_).
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

    /// The numbers and values of the IPv4 settings that have to be set to make those settings these.
    package func ipv4Missing(from other: LinkSettings) -> [Int: UInt32] {
        var missing: [Int: UInt32] = [:]
        for (index, value) in ipv4.enumerated() where index < other.ipv4.count && other.ipv4[index] != value { missing[index + 1] = value }
        return missing
    }

    /// The same for IPv6, by the names of files in /proc/sys/net/ipv6/conf/IF: rtnetlink cannot set these.
    package func ipv6Missing(from other: LinkSettings) -> [(name: String, value: Int32)] {
        InterfaceSettings.ipv6.compactMap { name, number in
            guard number < ipv6.count, number < other.ipv6.count, ipv6[number] != other.ipv6[number] else { return nil }
            return (name, ipv6[number])
        }
    }
}
