// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A request to the kernel, without its header: several go together in a ``RequestBatch``.
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

/// One datagram of requests, with sequence numbers that count up. Its last request asks for an acknowledgement, which comes after
/// the answers to all others: the kernel does requests in order.
package struct RequestBatch: Sendable {
    /// The places of its requests in the list that the batch was cut from.
    package let places: Range<Int>
    package let firstSequence: UInt32
    package let bytes: [UInt8]

    /// At most this many requests: the refusals of all have room in a socket's default receive buffer (net.core.rmem_default).
    package static let maximalCount = 64
    /// At most this many bytes, unless one request alone has more.
    package static let maximalSize = 16 << 10
    /// The largest request: an attribute's length has 16 bits, so nothing in a request of this size can have overflowed.
    package static let maximalRequestSize = 64 << 10

    /// Cuts a list of requests into batches.
    ///
    /// - Parameters:
    ///   - firstSequence: the sequence number of the first request; numbers wrap around.
    ///   - isAcknowledged: false for dumps, which end with NLMSG_DONE.
    /// - Throws: EMSGSIZE for a request of more than ``maximalRequestSize``; then nothing has been sent.
    package static func list(
        _ requests: [NetlinkRequest], firstSequence: UInt32, isAcknowledged: Bool = true
    ) throws(NetlinkError) -> [RequestBatch] {
        if let large = requests.first(where: { $0.size > maximalRequestSize }) {
            throw NetlinkError(
                large.operation, code: EMSGSIZE, cause: "the request has \(large.size) bytes, at most \(maximalRequestSize) are sent")
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

    /// The place of the request that a message answers; nil for messages that belong to other requests.
    package func place(of message: Message) -> Int? {
        let offset = Int(message.sequence &- firstSequence)
        return offset < places.count ? places.lowerBound + offset : nil
    }

    /// True for the acknowledgement of the last request.
    package func isEnd(_ message: Message) -> Bool {
        Int32(message.type) == NLMSG_ERROR && place(of: message) == places.upperBound - 1
    }
}
