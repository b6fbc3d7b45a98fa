// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import NIOPosix

/// A gRPC server on a Unix socket that the kubelet calls.
struct KubeletServer: Sendable {
    private let server: GRPCServer<HTTP2ServerTransport.Posix>

    /// - Parameter path: the socket's; a socket that is there already is replaced.
    init(_ path: String, _ services: [any RegistrableRPCService], eventLoopGroup: MultiThreadedEventLoopGroup, log: Logger) {
        var config = HTTP2ServerTransport.Posix.Config.defaults
        // The kubelet keeps its connection forever and may ping it as it likes.
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(1)
        config.rpc.maxRequestPayloadSize = 4 << 20
        // An answer is one write: waiting for others to send along would only delay it.
        config.connection.flushCoalescing = nil
        config.channelDebuggingCallbacks.onBindTCPListener = { AcceptBackoff.add(to: $0, log: log) }
        server = GRPCServer(
            transport: .init(
                address: .unixDomainSocket(path: path), transportSecurity: .plaintext, config: config, eventLoopGroup: eventLoopGroup),
            services: services)
    }

    /// Serves until ``stop()``. Throws when the socket cannot be made or is lost.
    func serve() async throws { try await server.serve() }

    /// Waits until the socket accepts connections; false when it cannot be made, for which ``serve()`` throws the reason.
    ///
    /// It returns only when ``serve()`` is called, before or after.
    func isListening() async -> Bool { (try? await server.listeningAddress) != nil }

    /// Closes the socket and lets calls in flight end. A server that is stopped before it serves would never know its address, so this
    /// waits for the address first.
    func stop() async {
        _ = await isListening()
        server.beginGracefulShutdown()
    }
}
