// SPDX-License-Identifier: Apache-2.0

/// NRI carries two ttrpc connections over one socket.
///
///      0               4               8
///     +---------------+---------------+------ - -
///     | connection BE | length (BE)   | bytes of that connection
///     +---------------+---------------+------ - -
///
/// Source: containerd/nri, pkg/net/multiplex. Connections are neither opened nor closed.
package enum Mux {
    /// The connection that the plugin serves, for calls of the runtime.
    package static let plugin: UInt32 = 1
    /// The connection that the runtime serves, for calls of the plugin.
    package static let runtime: UInt32 = 2

    static let headerLength = 8
    /// The limit of a payload: a ttrpc frame with its header.
    package static let payloadLimit = Frame.dataLimit + Frame.headerLength

    /// The limit of a message's first frame: the runtime reads a whole mux frame into the buffer of the requesting read,
    /// which has 4096 bytes at the beginning of a message.
    static let firstFrame = 4096

    /// Splits a message of a connection into mux frames.
    package static func frames(_ connection: UInt32, _ bytes: [UInt8]) -> [UInt8] {
        func frame(_ part: ArraySlice<UInt8>) -> [UInt8] {
            bigEndian(connection) + bigEndian(UInt32(truncatingIfNeeded: part.count)) + part
        }
        let first = bytes.prefix(firstFrame)
        let rest = bytes.dropFirst(firstFrame)
        return rest.isEmpty ? frame(first) : frame(first) + frame(rest)
    }
}

/// Decodes mux frames from chunks of any length.
package struct MuxDecoder: Sendable {
    private var header: [UInt8] = []
    private var connection: UInt32 = 0
    private var remaining = 0

    package init() {}

    /// The bytes for each connection, in order of arrival. Bytes of unknown connections are dropped, as
    /// the protocol requires.
    package mutating func receive(
        _ bytes: some Collection<UInt8>
    ) throws(ProtocolError) -> [(connection: UInt32, bytes: [UInt8])] {
        var parts: [(UInt32, [UInt8])] = []
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            if remaining == 0 {
                let wanted = Mux.headerLength - header.count
                header += rest.prefix(wanted)
                rest = rest.dropFirst(wanted)
                guard header.count == Mux.headerLength else { break }
                connection = header[..<4].reduce(0) { $0 << 8 | UInt32($1) }
                let length = Int(header[4...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
                header = []
                guard length <= Mux.payloadLimit else {
                    throw ProtocolError(
                        .longFrame, "connection \(connection)", "a frame of \(length) bytes is longer than \(Mux.payloadLimit)")
                }
                remaining = length
                continue
            }
            let part = rest.prefix(remaining)
            rest = rest.dropFirst(part.count)
            remaining -= part.count
            if connection == Mux.plugin || connection == Mux.runtime { parts.append((connection, Array(part))) }
        }
        return parts
    }
}
