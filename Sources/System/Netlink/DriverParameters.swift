// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension Ethtool {
    /// Messages that read and set lists, and their settable attributes (linux/ethtool_netlink.h). Queues come first, because the other
    /// lists depend on them. Attributes of bits are nested, and name their bits.
    private static let parameterLists: [(name: String, get: UInt8, set: UInt8, types: ClosedRange<Int>, bits: Int?)] = [
        (
            "channels", UInt8(ETHTOOL_MSG_CHANNELS_GET), UInt8(ETHTOOL_MSG_CHANNELS_SET),
            Int(ETHTOOL_A_CHANNELS_RX_COUNT)...Int(ETHTOOL_A_CHANNELS_COMBINED_COUNT), nil
        ),
        ("rings", UInt8(ETHTOOL_MSG_RINGS_GET), UInt8(ETHTOOL_MSG_RINGS_SET), Int(ETHTOOL_A_RINGS_RX)...Int(ETHTOOL_A_RINGS_TX), nil),
        (
            "coalescing", UInt8(ETHTOOL_MSG_COALESCE_GET), UInt8(ETHTOOL_MSG_COALESCE_SET),
            Int(ETHTOOL_A_COALESCE_RX_USECS)...Int(ETHTOOL_A_COALESCE_RATE_SAMPLE_INTERVAL), nil
        ),
        (
            "flow control (802.3x)", UInt8(ETHTOOL_MSG_PAUSE_GET), UInt8(ETHTOOL_MSG_PAUSE_SET),
            Int(ETHTOOL_A_PAUSE_AUTONEG)...Int(ETHTOOL_A_PAUSE_TX), nil
        ),
        (
            "forward error correction", UInt8(ETHTOOL_MSG_FEC_GET), UInt8(ETHTOOL_MSG_FEC_SET),
            Int(ETHTOOL_A_FEC_MODES)...Int(ETHTOOL_A_FEC_AUTO), Int(ETHTOOL_A_FEC_MODES)
        ),
        (
            "Wake-on-LAN", UInt8(ETHTOOL_MSG_WOL_GET), UInt8(ETHTOOL_MSG_WOL_SET),
            Int(ETHTOOL_A_WOL_MODES)...Int(ETHTOOL_A_WOL_SOPASS), Int(ETHTOOL_A_WOL_MODES)
        ),
    ]

    /// Reads the parameters of drivers, with one datagram for all interfaces. Lists that a driver lacks are empty.
    package func parameters(of indexes: [Int32]) throws(NetlinkError) -> [[DriverParameter]] {
        let lists = Self.parameterLists
        let requests = indexes.flatMap { index in
            lists.map { request("read \($0.name)", $0.get, index, flags: 1) { _ in } }  // ETHTOOL_FLAG_COMPACT_BITSETS
        }
        // A list that a driver does not report while it is down or busy cannot be restored either.
        let answers = try socket.get(all: requests, absent: [EOPNOTSUPP, ENODEV, EINVAL, ENETDOWN, EBUSY, EPERM])
        return indexes.indices.map { place in
            lists.indices.flatMap { list in
                answers[place * lists.count + list].map { Self.parameters(in: $0, list) } ?? []
            }
        }
    }

    /// The parameters in one answer.
    package static func parameters(in message: Message, _ list: Int) -> [DriverParameter] {
        (attributes(of: message) ?? []).filter { parameterLists[list].types.contains(Int($0.type)) }.map {
            DriverParameter(list: list, type: $0.type, value: [UInt8]($0.value))
        }
    }

    /// Sets the parameters that differ, with a message for each list.
    ///
    /// - Throws: the first refusal, after all lists were tried.
    package func restore(_ parameters: [DriverParameter], now: [DriverParameter], of index: Int32) throws(NetlinkError) {
        var refusal: NetlinkError?
        for (list, entry) in Self.parameterLists.enumerated() {
            let changed = parameters.filter { $0.list == list && !now.contains($0) }
            guard !changed.isEmpty else { continue }
            let request = request("restore \(entry.name)", entry.set, index, flags: 2) { message in  // ETHTOOL_FLAG_OMIT_REPLY
                for parameter in changed {
                    let flags = entry.bits == Int(parameter.type) ? Int(NLA_F_NESTED) : 0
                    message.attribute(Int(parameter.type) | flags, parameter.value)
                }
            }
            do throws(NetlinkError) { try execute(request) } catch { refusal = refusal ?? error }
        }
        if let refusal { throw refusal }
    }
}
