// SPDX-License-Identifier: Apache-2.0

import Linux
import NRI

/// A connection to the container runtime.
final class RuntimeConnection {
    let socket: Descriptor
    var session = PluginSession()
    var isSynchronized = false
    /// The time that a call may take before the runtime closes the connection and goes on without the plugin; NRI's default at first.
    private(set) var requestTimeout = Duration.seconds(2)

    private static let requestTimeouts = Duration.milliseconds(100)...Duration.seconds(60)

    /// Takes the runtime's time-out within bounds: one of no time, or of hours, is not believed.
    func setRequestTimeout(_ timeout: Duration) {
        requestTimeout = min(max(timeout, Self.requestTimeouts.lowerBound), Self.requestTimeouts.upperBound)
    }

    /// Connects and registers. The plugin's side is served from the first byte on, since the runtime may call before it answers.
    ///
    /// - Parameters:
    ///   - name: the plugin's name.
    ///   - index: two digits, the plugin's place among all plugins.
    init(_ path: String, name: String, index: String) throws {
        socket = try UnixSocket.connect(path)
        try UnixSocket.setTimeout(socket, milliseconds: requestTimeout.milliseconds)
        try send(session.register(name: name, index: index))
    }

    /// The time until which a call that just came may be worked on: the rest of its time is the runtime's.
    var deadline: Deadline { .after(requestTimeout * 3 / 4) }

    func send(_ bytes: [UInt8]) throws(SystemError) { try UnixSocket.send(bytes, to: socket) }

    /// Receives what can be read.
    ///
    /// - Throws: ``Closed`` when the runtime has closed the connection, `SystemError`, or an error of the protocol.
    func receive() throws -> [PluginSession.Output] {
        let (bytes, _) = try UnixSocket.receive(from: socket)
        if bytes.isEmpty { throw Closed() }
        return try session.receive(bytes)
    }

    struct Closed: Error, CustomStringConvertible {
        var description: String { "the container runtime closed the NRI connection" }
    }
}
