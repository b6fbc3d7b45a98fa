// SPDX-License-Identifier: Apache-2.0

/// Bytes of the runtime that do not follow NRI, ttrpc or Protocol Buffers.
package struct ProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error.
    package enum Code: String, Hashable, Sendable {
        /// A message ends within a field.
        case truncated
        case invalidNumber, unknownWireType, longInteger, longText, notUTF8
        /// A frame of the two connections is longer than any message.
        case longFrame
        /// The runtime has closed the connection.
        case closed
    }

    package var code: Code
    /// The connection, field or value that is at fault.
    package var object: String
    package var cause: String

    package init(_ code: Code, _ object: String, _ cause: String) {
        self.code = code
        self.object = object
        self.cause = cause
    }

    package var description: String { "\(object): \(cause)" }
}
