// SPDX-License-Identifier: Apache-2.0

import Linux
import Synchronization

/// Serves a daemon's socket, and answers each line with chosen bytes.
package final class FalseDaemon: Sendable {
    package typealias Answer = @Sendable (String) -> [UInt8]

    private let answer: Mutex<Answer>
    private let path: String
    private let stop: Descriptor

    /// - Parameter answer: the bytes for a line; nil closes the connection.
    package init(_ path: String, answer: @escaping Answer) throws {
        self.answer = Mutex(answer)
        self.path = path
        let listener = try UnixSocket.listen(path)
        let (stop, stopped) = try UnixSocket.pair()
        self.stop = stop
        try KernelThread.start { [weak self] in
            while let ready = try? Poller.readable([stopped, listener], until: nil), !ready.contains(0) {
                guard let client = try? UnixSocket.accept(listener) else { continue }
                guard let self else { break }
                self.serve(client)
            }
        }
    }

    deinit {
        try? Files.remove(path)
        try? UnixSocket.send([0], to: stop)
    }

    package func set(_ answer: @escaping Answer) { self.answer.withLock { $0 = answer } }

    private func serve(_ client: Descriptor) {
        guard (try? UnixSocket.setTimeout(client, .seconds(1))) != nil else { return }
        var line: [UInt8] = []
        while !line.contains(0x0a), line.count < 4096 {
            guard let part = try? UnixSocket.receive(from: client, atMost: 4096).bytes, !part.isEmpty else { return }
            line += part
        }
        let bytes = answer.withLock { $0 }(String(decoding: line.prefix { $0 != 0x0a }, as: UTF8.self))
        try? UnixSocket.send(bytes, to: client)
    }
}
