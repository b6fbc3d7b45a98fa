// SPDX-License-Identifier: Apache-2.0

import CLinux
import NetworkModel

/// A netlink message.
///
///      0       4       6       8       12      16
///     +-------+-------+-------+-------+-------+-------- - -
///     | len   | type  | flags | seq   | port  | payload
///     +-------+-------+-------+-------+-------+-------- - -
///
/// Source: linux/netlink.h, struct nlmsghdr. Integers are in the host's byte order.
package struct Message: Hashable, Sendable {
    package static let headerLength = 16

    package var type: UInt16
    package var flags: UInt16
    package var sequence: UInt32
    package var port: UInt32
    package var payload: ArraySlice<UInt8>

    package init(
        type: UInt16, flags: UInt16, sequence: UInt32 = 0, port: UInt32 = 0, payload: [UInt8]
    ) {
        self.type = type
        self.flags = flags
        self.sequence = sequence
        self.port = port
        self.payload = payload[...]
    }

    package var bytes: [UInt8] {
        var builder = MessageBuilder()
        builder.integer(UInt32(truncatingIfNeeded: Self.headerLength + payload.count))
        builder.integer(type)
        builder.integer(flags)
        builder.integer(sequence)
        builder.integer(port)
        return builder.body + payload
    }

    /// The messages of one datagram; nil if a length is invalid.
    package static func list(_ bytes: ArraySlice<UInt8>) -> [Message]? {
        var reader = ByteReader(bytes)
        var messages: [Message] = []
        while reader.remaining > 0 {
            guard let length = reader.integer(UInt32.self), let type = reader.integer(UInt16.self),
                let flags = reader.integer(UInt16.self), let sequence = reader.integer(UInt32.self),
                let port = reader.integer(UInt32.self), length >= headerLength,
                let payload = reader.take(Int(length) - headerLength)
            else { return nil }
            var message = Message(type: type, flags: flags, sequence: sequence, port: port, payload: [])
            message.payload = payload
            messages.append(message)
            _ = reader.skip(min(reader.remaining, (4 - Int(length) % 4) % 4))
        }
        return messages
    }
}

/// The kernel's answer to a request: NLMSG_ERROR with its extended acknowledgement.
package struct Acknowledgement: Hashable, Sendable {
    /// 0 for success, otherwise an errno.
    package var code: Int32
    /// The kernel's message, if it has any.
    package var text: String?

    /// Reads the payload of NLMSG_ERROR or NLMSG_DONE; nil if it is too short.
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard let code = reader.integer(Int32.self) else { return nil }
        self.code = code == .min ? .max : abs(code)
        guard Int32(message.flags) & NLM_F_ACK_TLVS != 0 else { return }
        if message.type == UInt16(NLMSG_ERROR) {
            // The request's header follows, and its payload unless it was omitted.
            guard let length = reader.integer(UInt32.self), reader.skip(12) else { return }
            let capped = Int32(message.flags) & NLM_F_CAPPED != 0
            guard capped || reader.skip(max(0, (Int(length) - 16 + 3) / 4 * 4)) else { return }
        }
        guard let rest = reader.take(reader.remaining), let attributes = Attribute.list(rest) else { return }
        text = attributes[type: Int(NLMSGERR_ATTR_MSG.rawValue)]?.text
    }
}
