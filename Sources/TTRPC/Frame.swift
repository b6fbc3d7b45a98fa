// SPDX-License-Identifier: Apache-2.0

/// A frame of ttrpc.
///
///      0               4               8       9      10
///     +---------------+---------------+-------+-------+------ - -
///     | length (BE)   | stream (BE)   | type  | flags | data
///     +---------------+---------------+-------+-------+------ - -
///
/// Source: containerd/ttrpc PROTOCOL.md. Unary calls use types 1 and 2 with no flags.
package struct Frame: Hashable, Sendable {
    package static let headerLength = 10
    /// Longest data that may be sent or is taken.
    package static let dataLimit = 4 << 20

    package static let request: UInt8 = 1
    package static let response: UInt8 = 2

    package var stream: UInt32
    package var type: UInt8
    package var flags: UInt8
    package var data: [UInt8]

    package init(stream: UInt32, type: UInt8, flags: UInt8 = 0, data: [UInt8]) {
        self.stream = stream
        self.type = type
        self.flags = flags
        self.data = data
    }

    package var bytes: [UInt8] {
        bigEndian(UInt32(truncatingIfNeeded: data.count)) + bigEndian(stream) + [type, flags] + data
    }
}

/// Cuts a stream of bytes into frames, however the bytes arrive.
package struct FrameDecoder: Sendable {
    package enum Event: Hashable, Sendable {
        case frame(Frame)
        /// A frame longer than allowed: its data is passed over, and its sender has to be told.
        case oversized(stream: UInt32, type: UInt8, length: Int)
    }

    private var buffer: [UInt8] = []
    private var start = 0
    private var toSkip = 0

    package init() {}

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        // What was consumed is dropped before the buffer grows.
        if start == buffer.count {
            // Also the memory of a large frame.
            buffer = []
            start = 0
        } else if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += bytes
    }

    /// The next event, or nil until more bytes come.
    package mutating func next() -> Event? {
        if toSkip > 0 {
            let skipped = min(toSkip, buffer.count - start)
            start += skipped
            toSkip -= skipped
            if toSkip > 0 { return nil }
        }
        guard buffer.count - start >= Frame.headerLength else { return nil }
        let length = Int(integer(at: start))
        let stream = integer(at: start + 4)
        let type = buffer[start + 8]
        let flags = buffer[start + 9]
        if length > Frame.dataLimit {
            start += Frame.headerLength
            toSkip = length
            return .oversized(stream: stream, type: type, length: length)
        }
        guard buffer.count - start >= Frame.headerLength + length else { return nil }
        let body = start + Frame.headerLength
        start = body + length
        return .frame(Frame(stream: stream, type: type, flags: flags, data: Array(buffer[body..<body + length])))
    }

    private func integer(at index: Int) -> UInt32 {
        buffer[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}

/// The four bytes of an integer in network order.
package func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
}
