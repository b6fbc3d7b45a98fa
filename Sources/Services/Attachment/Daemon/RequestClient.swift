// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Linux

/// Somebody who asks over our socket: one line, one answer.
final class RequestClient {
    let socket: Descriptor
    private(set) var descriptor: Descriptor?
    private(set) var isFinished = false
    private var line: [UInt8] = []
    private let arrival = Poller.now()

    /// It has said nothing for a minute: whoever asks does so at once.
    var isStale: Bool { Poller.now() - arrival > 60_000 }

    /// The claim it asks about, once it has asked.
    var claim: String?
    /// True when it asks for the claim to be released, and not whether a container may start.
    var isRelease = false
    /// Until when it waits for its answer; nil when it does not.
    private(set) var timeout: Int?

    /// It is answered later. False when it has waited long enough.
    func wait(milliseconds: Int) -> Bool {
        let end = timeout ?? Poller.now() + milliseconds
        timeout = end
        return Poller.now() < end
    }

    struct BadRequest: Error, CustomStringConvertible {
        var description: String
    }

    init(_ socket: Descriptor) {
        self.socket = socket
        // A client that does not read its answer must not hold us up.
        try? UnixSocket.setTimeout(socket, milliseconds: 500)
    }

    /// Takes what is there. Nil until the line is complete, or when the client has left.
    func receive() -> Result<ControlRequest, BadRequest>? {
        guard let (bytes, descriptor) = try? UnixSocket.receive(from: socket, atMost: 512), !bytes.isEmpty else {
            isFinished = true
            return nil
        }
        if let descriptor { self.descriptor = descriptor }
        line += bytes
        guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
            if line.count > ControlRequest.lineLimit {
                return .failure(BadRequest(description: "the request is longer than \(ControlRequest.lineLimit) bytes"))
            }
            return nil
        }
        let text = String(decoding: line[..<end], as: UTF8.self)
        guard let request = ControlRequest(line: text) else {
            return .failure(BadRequest(description: "\"\(text.prefix(64))\" is no request; known are status, publish, release and admit"))
        }
        return .success(request)
    }

    func answer(_ reply: ControlReply) {
        // If it has left meanwhile, nobody is there to be told.
        try? UnixSocket.send([UInt8](reply.line.utf8), to: socket)
        isFinished = true
    }
}
