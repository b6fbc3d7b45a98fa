// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import NIOPosix

/// A gRPC server for the kubelet on a Unix socket.
struct KubeletServer: Sendable {
    private let server: GRPCServer<HTTP2ServerTransport.Posix>

    /// - Parameter path: the socket's path; an existing socket is replaced.
    init(_ path: String, _ services: [any RegistrableRPCService], eventLoopGroup: MultiThreadedEventLoopGroup, log: Logger) {
        var config = HTTP2ServerTransport.Posix.Config.defaults
        // The kubelet keeps its connection open, and may ping it at any rate.
        config.connection.keepalive.clientBehavior.allowWithoutCalls = true
        config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(1)
        config.rpc.maxRequestPayloadSize = 4 << 20
        // An answer is one write: coalescing would only delay it.
        config.connection.flushCoalescing = nil
        config.channelDebuggingCallbacks.onBindTCPListener = { AcceptBackoff.add(to: $0, log: log) }
        server = GRPCServer(
            transport: .init(
                address: .unixDomainSocket(path: path), transportSecurity: .plaintext, config: config, eventLoopGroup: eventLoopGroup),
            services: services)
    }

    /// Serves until ``stop()``. Throws if the socket cannot be created, or is lost.
    func serve() async throws { try await server.serve() }

    /// Waits until the socket accepts connections. Returns false if it cannot be created; then ``serve()`` throws the reason.
    ///
    /// Returns only if ``serve()`` is called, before or after.
    func isListening() async -> Bool { (try? await server.listeningAddress) != nil }

    /// Closes the socket, and lets calls in flight end. Waits for the server's address first, because a server that is stopped before it
    /// serves would never have one.
    func stop() async {
        _ = await isListening()
        server.beginGracefulShutdown()
    }
}
