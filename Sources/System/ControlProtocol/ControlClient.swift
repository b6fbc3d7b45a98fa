// SPDX-License-Identifier: Apache-2.0

package import Linux

/// Sends requests to one of the two daemons over its socket.
package enum ControlClient {
    /// Sends a request to `nearside-nri`, and waits for the reply. Blocks.
    ///
    /// - Throws: ``ControlUnreachable`` if the socket has no server, or no reply arrives in time.
    package static func ask(
        _ request: ControlRequest, descriptor: Descriptor? = nil, socket path: String, timeout: Duration
    ) throws(ControlUnreachable) -> ControlReply {
        try ask("nearside-nri", request.line, descriptor, path, timeout)
    }

    /// Sends a request to `nearside-node`.
    package static func ask(_ request: NodeRequest, socket path: String, timeout: Duration) throws(ControlUnreachable) -> ControlReply {
        try ask("nearside-node", request.line, nil, path, timeout)
    }

    private static func ask(
        _ daemon: String, _ request: String, _ descriptor: Descriptor?, _ path: String, _ timeout: Duration
    ) throws(ControlUnreachable) -> ControlReply {
        let line: String
        do throws(SystemError) {
            // One time-out for the whole reply, so that a daemon that replies byte by byte cannot exceed it.
            let deadline = Deadline.after(timeout)
            let socket = try UnixSocket.connect(path, timeout: timeout)
            try UnixSocket.send([UInt8](request.utf8), descriptor: descriptor, to: socket)
            var answer: [UInt8] = []
            while !answer.contains(UInt8(ascii: "\n")), answer.count < ControlReply.lineLimit {
                try UnixSocket.setTimeout(socket, deadline.remaining)
                let (bytes, _) = try UnixSocket.receive(from: socket, atMost: ControlReply.lineLimit)
                if bytes.isEmpty { break }
                answer += bytes
                if deadline.hasPassed, !answer.contains(UInt8(ascii: "\n")) {
                    throw SystemError("receive the whole answer", path, code: 110)
                }
            }
            line = String(decoding: answer.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        } catch {
            throw ControlUnreachable(.noAnswer, daemon, error)
        }
        guard let reply = ControlReply(line: line) else {
            throw ControlUnreachable(.closed, daemon, "it closed \(path)")
        }
        return reply
    }
}

/// The daemon does not run, or does not reply.
package struct ControlUnreachable: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error.
    package enum Code: String, Hashable, Sendable {
        /// The socket has no server, or the answer did not arrive in time.
        case noAnswer
        /// The daemon closed the connection before it had answered.
        case closed
    }

    package var code: Code
    /// Name of the daemon.
    package var object: String
    package var cause: String

    package init(_ code: Code, _ object: String, _ cause: some CustomStringConvertible) {
        self.code = code
        self.object = object
        self.cause = "\(cause)"
    }

    package var description: String { "\(object) does not answer: \(cause)" }
}
