// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// Limits of configurations, shared by decoding, ``ConfigField``, `api/networkconfig.schema.json` and `nearside validate`.
package enum ConfigLimits {
    // MARK: The text

    /// The limits of one configuration's text. 10 KiB is the API's own limit (resource/v1, OpaqueParametersMaxLength).
    package static let text = JSONLimits(bytes: 10 << 10, depth: 8, values: 4096)

    // MARK: Numbers of elements

    package static let addresses = 32
    package static let dhcpRoutes = 16
    package static let routes = 128
    package static let rules = 64
    package static let neighbors = 256
    package static let sysctls = 32
    package static let features = 64
    package static let privateFlags = 32
    package static let pinned = 64
    /// The limit of addresses, routes, rules, neighbours, settings and flags of all devices of a claim together: such a plan needs less
    /// than half of the journal's limit for a file.
    package static let entriesPerClaim = 2048

    // MARK: Lengths in bytes

    /// The kernel's limit of a name: IFNAMSIZ is 16 including the terminator (linux/if.h).
    package static let nameBytes = 15
    /// The longest text of an address with its prefix length: IPv6 with an embedded IPv4 address has 45 bytes.
    package static let addressBytes = 49
    /// 20 bytes with colons: InfiniBand's length (MAX_ADDR_LEN is 32, linux/netdevice.h).
    package static let hardwareAddressBytes = 59
    /// ETH_GSTRING_LEN includes the terminator (linux/ethtool.h).
    package static let flagBytes = 31
    /// The limit of a name such as `ipv6.accept_ra_rt_info_max_plen`, in bytes.
    package static let sysctlBytes = 64
    package static let pathBytes = 64

    // MARK: Ranges

    package static let mtu = 68...65535
    /// GSO_MAX_SIZE and GRO_MAX_SIZE of the kernel (linux/netdevice.h) are 8 * 65535 and more.
    package static let segmentSize = 1...Int(UInt32.max)
    package static let number = 0...Int(UInt32.max)
    package static let table = 1...Int(UInt32.max)
    /// Packets never reach a rule after the rule of the main table, 32766.
    package static let priority = 0...32767
    package static let arpAnnounce = 0...2
    package static let acceptRA = 0...2
    package static let arpIgnore = [0, 1, 2, 3, 8]
    /// RT_SCOPE_UNIVERSE and RT_SCOPE_LINK (linux/rtnetlink.h).
    package static let scopes = [0, 253]
    package static let vlan = 1...4094
    /// 0 means no VLAN.
    package static let functionVLAN = 0...4094
}
