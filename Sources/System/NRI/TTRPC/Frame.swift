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
    /// The limit of data, for sending and receiving.
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

/// Decodes frames from chunks of any length.
///
/// The data of a frame is collected in one array of its length, which is passed on without a copy.
package struct FrameDecoder: Sendable {
    /// A part of the stream.
    package enum Event: Hashable, Sendable {
        case frame(Frame)
        /// A frame beyond the limit: its data is skipped, and its sender has to get an error.
        case oversized(stream: UInt32, type: UInt8, length: Int)
    }

    private var header: [UInt8] = []
    private var data: [UInt8] = []
    private var toSkip = 0

    package init() {}

    /// The frames that these bytes complete.
    package mutating func receive(_ bytes: ArraySlice<UInt8>) -> [Event] {
        var events: [Event] = []
        var rest = bytes
        func take(_ count: Int) -> ArraySlice<UInt8> {
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        while true {
            toSkip -= take(toSkip).count
            guard toSkip == 0 else { return events }
            if header.count < Frame.headerLength {
                header += take(Frame.headerLength - header.count)
                guard header.count == Frame.headerLength else { return events }
                let length = Int(integer(at: 0))
                if length > Frame.dataLimit {
                    events.append(.oversized(stream: integer(at: 4), type: header[8], length: length))
                    toSkip = length
                    header = []
                    continue
                }
                data.reserveCapacity(length)
            }
            let length = Int(integer(at: 0))
            data += take(length - data.count)
            guard data.count == length else { return events }
            events.append(.frame(Frame(stream: integer(at: 4), type: header[8], flags: header[9], data: data)))
            (header, data) = ([], [])
        }
    }

    private func integer(at index: Int) -> UInt32 {
        header[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}

/// The four bytes of an integer in network order.
package func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
}
