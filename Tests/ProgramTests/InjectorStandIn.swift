// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Linux
import Synchronization

/// A substitute for a `nearside-nri` of another release: it answers `status` with given features, and every other request with `ok`.
final class InjectorStandIn: Sendable {
    private let stop: Descriptor
    private let received = Mutex<[ControlRequest]>([])

    /// - Parameter features: nil for a release that lists none.
    init(socket: String, features: [String]?) throws {
        let (stop, stopped) = try UnixSocket.pair()
        let listener = try UnixSocket.listen(socket)
        self.stop = stop
        let status: ControlReply = features.map { .supports($0) } ?? .ok
        try KernelThread.start { [weak self] in
            while let ready = try? Poller.readable([stopped, listener], until: nil), !ready.contains(0) {
                guard ready.contains(1), let client = try? UnixSocket.accept(listener) else { continue }
                try? UnixSocket.setTimeout(client, .seconds(2))
                guard let bytes = try? UnixSocket.receive(from: client, atMost: ControlRequest.lineLimit).bytes,
                    let request = ControlRequest(line: String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
                else { continue }
                self?.received.withLock { $0.append(request) }
                try? UnixSocket.send([UInt8]((request == .status ? status : .ok).line.utf8), to: client)
            }
        }
    }

    deinit { end() }

    /// Closes the socket, like a daemon that ends.
    func end() { try? UnixSocket.send([0], to: stop) }

    var requests: [ControlRequest] { received.withLock { $0 } }
}
