// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A request to the kernel without its header; a ``RequestBatch`` combines several requests.
package struct NetlinkRequest: Sendable {
    package var operation: String
    package var type: Int
    package var flags: Int32
    package var payload: [UInt8]

    package init(_ operation: String, type: Int, flags: Int32 = 0, payload: [UInt8]) {
        self.operation = operation
        self.type = type
        self.flags = flags
        self.payload = payload
    }

    /// Bytes on the wire: header, payload, padding.
    fileprivate var size: Int { (Message.headerLength + payload.count + 3) / 4 * 4 }
}

/// One datagram of requests with consecutive sequence numbers. Only the last request requires an acknowledgement, which follows the
/// answers to all others, because the kernel processes requests in order.
package struct RequestBatch: Sendable {
    /// The positions of its requests in the complete list.
    package let places: Range<Int>
    package let firstSequence: UInt32
    package let bytes: [UInt8]

    /// The limit of requests: refusals of all of them fit into a socket's default receive buffer (net.core.rmem_default).
    package static let maximalCount = 64
    /// The limit in bytes, unless a single request exceeds it.
    package static let maximalSize = 16 << 10
    /// The limit of a request: an attribute's length has 16 bits, so that nothing in a request of this size overflows.
    package static let maximalRequestSize = 64 << 10

    /// Splits a list of requests into batches.
    ///
    /// - Parameters:
    ///   - firstSequence: the sequence number of the first request; numbers wrap around.
    ///   - isAcknowledged: false for dumps, which end with NLMSG_DONE.
    /// - Throws: EMSGSIZE for a request of more than ``maximalRequestSize``, before any request is sent.
    package static func list(
        _ requests: [NetlinkRequest], firstSequence: UInt32, isAcknowledged: Bool = true
    ) throws(NetlinkError) -> [RequestBatch] {
        if let large = requests.first(where: { $0.size > maximalRequestSize }) {
            throw NetlinkError(
                large.operation, code: EMSGSIZE, cause: "the request has \(large.size) bytes; the limit is \(maximalRequestSize)")
        }
        return ranges(requests.map(\.size)).map { places in
            RequestBatch(
                requests, places, firstSequence: firstSequence &+ UInt32(truncatingIfNeeded: places.lowerBound),
                isAcknowledged: isAcknowledged)
        }
    }

    private init(_ requests: [NetlinkRequest], _ places: Range<Int>, firstSequence: UInt32, isAcknowledged: Bool) {
        var bytes: [UInt8] = []
        for place in places {
            let request = requests[place]
            let isLast = place == places.upperBound - 1
            bytes +=
                Message(
                    type: UInt16(truncatingIfNeeded: request.type),
                    flags: UInt16(truncatingIfNeeded: request.flags | NLM_F_REQUEST | (isLast && isAcknowledged ? NLM_F_ACK : 0)),
                    sequence: firstSequence &+ UInt32(truncatingIfNeeded: place - places.lowerBound), payload: request.payload
                ).bytes
            bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
        }
        self.places = places
        self.firstSequence = firstSequence
        self.bytes = bytes
    }

    private static func ranges(_ sizes: [Int]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var (start, size) = (0, 0)
        for (place, next) in sizes.enumerated() {
            if place > start, place - start == maximalCount || size + next > maximalSize {
                ranges.append(start..<place)
                (start, size) = (place, 0)
            }
            size += next
        }
        if start < sizes.count { ranges.append(start..<sizes.count) }
        return ranges
    }

    /// The position of the request that a message answers; nil for messages that belong to other requests.
    package func place(of message: Message) -> Int? {
        let offset = Int(message.sequence &- firstSequence)
        return offset < places.count ? places.lowerBound + offset : nil
    }

    /// True for the acknowledgement of the last request.
    package func isEnd(_ message: Message) -> Bool {
        Int32(message.type) == NLMSG_ERROR && place(of: message) == places.upperBound - 1
    }
}
