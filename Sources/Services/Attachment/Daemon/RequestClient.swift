// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Linux
import Primitives

/// A client of the daemon's socket: it sends one line, and gets one line as its reply.
final class RequestClient {
    let socket: Descriptor
    /// The descriptor that came with the request.
    private(set) var descriptor: Descriptor?
    private(set) var isFinished = false
    /// The request that waits for its reply.
    private(set) var pending: ControlRequest?
    private(set) var deadline: Deadline?
    private var line: [UInt8] = []
    private let staleness = Deadline.after(.seconds(60))

    /// True if the client has been connected for a minute without a complete request.
    var isStale: Bool { staleness.hasPassed }

    /// Keeps a request for a later attempt.
    ///
    /// - Returns: false if the request has reached its time-out.
    func wait(_ request: ControlRequest, timeout: Duration) -> Bool {
        let end = deadline ?? .after(timeout)
        (pending, deadline) = (request, end)
        return !end.hasPassed
    }

    init(_ socket: Descriptor) {
        self.socket = socket
        // A client that does not read its reply must not block the daemon.
        try? UnixSocket.setTimeout(socket, .milliseconds(500))
    }

    /// Receives from the client.
    ///
    /// - Returns: the request; nil while the line is incomplete, or if the client has closed the connection.
    func receive() throws(InputError) -> ControlRequest? {
        guard let (bytes, descriptor) = try? UnixSocket.receive(from: socket, atMost: 512), !bytes.isEmpty else {
            isFinished = true
            return nil
        }
        if let descriptor { self.descriptor = descriptor }
        line += bytes
        guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
            if line.count > ControlRequest.lineLimit {
                throw InputError(.outOfBounds, "request", "longer than \(ControlRequest.lineLimit) bytes")
            }
            return nil
        }
        let text = String(decoding: line[..<end], as: UTF8.self)
        guard let request = ControlRequest(line: text) else {
            throw InputError(
                .unknown, "\"\(text.prefix(64))\"", "not a request", advice: "requests are status, publish, release and admit")
        }
        return request
    }

    func answer(_ reply: ControlReply) {
        // The client may have closed the connection.
        try? UnixSocket.send([UInt8](reply.line.utf8), to: socket)
        isFinished = true
    }
}
