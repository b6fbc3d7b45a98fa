// SPDX-License-Identifier: Apache-2.0

import Linux
import NRI

/// A connection to the container runtime.
final class RuntimeConnection {
    let socket: Descriptor
    var session = PluginSession()
    var isSynchronized = false
    /// The runtime's time-out of a call, after which it closes the connection. Initially NRI's default.
    private(set) var requestTimeout = Duration.seconds(2)

    private static let requestTimeouts = Duration.milliseconds(100)...Duration.seconds(60)

    /// Takes the runtime's time-out, clamped to plausible values.
    func setRequestTimeout(_ timeout: Duration) {
        requestTimeout = min(max(timeout, Self.requestTimeouts.lowerBound), Self.requestTimeouts.upperBound)
    }

    /// Connects and registers. The session serves calls from the first byte on, because the runtime may call before it answers.
    ///
    /// - Parameters:
    ///   - name: the plugin's name.
    ///   - index: the plugin's position: two digits.
    init(_ path: String, name: String, index: String) throws {
        socket = try UnixSocket.connect(path)
        try UnixSocket.setTimeout(socket, requestTimeout)
        try send(session.register(name: name, index: index))
    }

    /// The deadline for work on a call that has just arrived. The rest of the time-out is left to the runtime.
    var deadline: Deadline { .after(requestTimeout * 3 / 4) }

    func send(_ bytes: [UInt8]) throws(SystemError) { try UnixSocket.send(bytes, to: socket) }

    /// Receives available data.
    ///
    /// - Throws: `ProtocolError`, also if the runtime has closed the connection, or `SystemError`.
    func receive() throws -> [PluginSession.Output] {
        let (bytes, _) = try UnixSocket.receive(from: socket)
        if bytes.isEmpty { throw ProtocolError(.closed, "NRI connection", "the container runtime closed it") }
        return try session.receive(bytes)
    }
}
