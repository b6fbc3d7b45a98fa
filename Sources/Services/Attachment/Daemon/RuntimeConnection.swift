// SPDX-License-Identifier: Apache-2.0

import Linux
import NRI

/// The connection to the container runtime.
final class RuntimeConnection {
    let socket: Descriptor
    var session = PluginSession()
    var isSynchronized = false
    /// Milliseconds a call may take before the runtime drops us and goes on without (its default).
    private(set) var requestTimeout = 2000

    /// Takes the runtime's word for it, within bounds: a time that is no time, or none that ends, is not believed.
    func setRequestTimeout(_ milliseconds: Int) { requestTimeout = min(max(milliseconds, 100), 60_000) }

    /// Connects and registers. The plugin's side is served from the first byte on, since the runtime
    /// may call before it answers.
    init(_ path: String, name: String, index: String) throws {
        socket = try UnixSocket.connect(path)
        try UnixSocket.setTimeout(socket, milliseconds: requestTimeout)
        try send(session.register(name: name, index: index))
    }

    /// When the answer to a call that just came has to be on its way: some of the time is the runtime's.
    var deadline: Deadline { .after(.milliseconds(requestTimeout * 3 / 4)) }

    func send(_ bytes: [UInt8]) throws(SystemError) { try UnixSocket.send(bytes, to: socket) }

    func receive() throws -> [PluginSession.Output] {
        let (bytes, _) = try UnixSocket.receive(from: socket)
        if bytes.isEmpty { throw SystemError("go on with", "the runtime, which closed the connection", code: 104) }
        return try session.receive(bytes)
    }
}
