// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Linux

/// A client of the daemon's socket: one line, one answer.
final class RequestClient {
    let socket: Descriptor
    /// The descriptor that came with the request.
    private(set) var descriptor: Descriptor?
    private(set) var isFinished = false
    /// The request that waits for its answer, and until when; nil for none.
    private(set) var pending: ControlRequest?
    private(set) var deadline: Deadline?
    private var line: [UInt8] = []
    private let staleness = Deadline.after(.seconds(60))

    /// True when the client has been connected for a minute: a request is sent at once.
    var isStale: Bool { staleness.hasPassed }

    /// Keeps a request, which is tried again later.
    ///
    /// - Returns: false when it has waited for as long as it may.
    func wait(_ request: ControlRequest, timeout: Duration) -> Bool {
        let end = deadline ?? .after(timeout)
        (pending, deadline) = (request, end)
        return !end.hasPassed
    }

    struct BadRequest: Error, CustomStringConvertible {
        enum Code: String, Sendable { case tooLong, unknown }
        var code: Code
        var cause: String
        var description: String { cause }
    }

    init(_ socket: Descriptor) {
        self.socket = socket
        // A client that does not read its answer must not hold up the daemon.
        try? UnixSocket.setTimeout(socket, milliseconds: 500)
    }

    /// Receives what the client has sent.
    ///
    /// - Returns: nil until the line is complete, and when the client has left.
    func receive() throws(BadRequest) -> ControlRequest? {
        guard let (bytes, descriptor) = try? UnixSocket.receive(from: socket, atMost: 512), !bytes.isEmpty else {
            isFinished = true
            return nil
        }
        if let descriptor { self.descriptor = descriptor }
        line += bytes
        guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
            if line.count > ControlRequest.lineLimit {
                throw BadRequest(code: .tooLong, cause: "the request is longer than \(ControlRequest.lineLimit) bytes")
            }
            return nil
        }
        let text = String(decoding: line[..<end], as: UTF8.self)
        guard let request = ControlRequest(line: text) else {
            throw BadRequest(code: .unknown, cause: "\"\(text.prefix(64))\" is no request; known are status, publish, release and admit")
        }
        return request
    }

    func answer(_ reply: ControlReply) {
        // A client that has left meanwhile needs no answer.
        try? UnixSocket.send([UInt8](reply.line.utf8), to: socket)
        isFinished = true
    }
}
