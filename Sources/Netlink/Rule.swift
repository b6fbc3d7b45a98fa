// SPDX-License-Identifier: Apache-2.0

package import Addressing
import CLinux
import Glibc

/// A rule that says which packets look up which routing table (RTM_NEWRULE).
package struct Rule: Hashable, Sendable {
    /// The source addresses it holds for; nil for all.
    package var source: IPPrefix?
    package var table: UInt32
    /// True when the rule holds for packets other than those from ``source``.
    package var isInverted: Bool

    package init(source: IPPrefix?, table: UInt32, isInverted: Bool = false) {
        self.source = source
        self.table = table
        self.isInverted = isInverted
    }

    /// Reads struct fib_rule_hdr and FRA attributes (linux/fib_rules.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard reader.skip(2), let sourceLength = reader.integer(UInt8.self), reader.skip(1),
            let table = reader.integer(UInt8.self), reader.skip(3), let flags = reader.integer(UInt32.self),
            let rest = reader.take(reader.remaining), let attributes = Attribute.list(rest)
        else { return nil }
        source = attributes[type: Int(FRA_SRC)].flatMap { IPAddress(bytes: $0.value) }.flatMap { address in
            Int(sourceLength) <= address.bitCount ? IPPrefix(address: address, length: Int(sourceLength)) : nil
        }
        self.table = attributes[type: Int(FRA_TABLE)]?.integer() ?? UInt32(table)
        isInverted = flags & UInt32(FIB_RULE_INVERT) != 0
    }
}

extension NetlinkSocket {
    /// `ip rule`, both families.
    package func rules() throws(NetlinkError) -> [Rule] {
        // struct fib_rule_hdr with family 0.
        try dump("list routing rules", type: RTM_GETRULE, payload: [UInt8](repeating: 0, count: 12)).compactMap(Rule.init)
    }
}
