// SPDX-License-Identifier: Apache-2.0

package import Linux

/// Asks `nearside-nri`.
package enum InjectorClient {
    /// Sends one request and waits for its answer: on a thread that may wait.
    ///
    /// - Throws: ``InjectorUnreachable`` when nobody serves the socket, or no answer came in time.
    package static func ask(
        _ request: InjectorRequest, descriptor: Descriptor? = nil, socket path: String, milliseconds: Int
    ) throws(InjectorUnreachable) -> InjectorReply {
        let line: String
        do throws(SystemError) {
            let socket = try UnixSocket.connect(path)
            try UnixSocket.setTimeout(socket, milliseconds: milliseconds)
            try UnixSocket.send([UInt8](request.line.utf8), descriptor: descriptor, to: socket)
            var answer: [UInt8] = []
            while !answer.contains(UInt8(ascii: "\n")), answer.count < 65536 {
                let (bytes, _) = try UnixSocket.receive(from: socket)
                if bytes.isEmpty { break }
                answer += bytes
            }
            line = String(decoding: answer.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        } catch {
            throw InjectorUnreachable(text: "nearside-nri does not answer: \(error)")
        }
        guard let reply = InjectorReply(line: line) else {
            throw InjectorUnreachable(text: "nearside-nri closed \(path) without an answer")
        }
        return reply
    }
}

/// `nearside-nri` is not there, or does not answer.
package struct InjectorUnreachable: Error, Hashable, Sendable, CustomStringConvertible {
    package var text: String
    package init(text: String) { self.text = text }
    package var description: String { text }
}
