// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import KubeletPlugin
import Kubernetes
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives
import ServiceLifecycle
import Synchronization

/// The host address and port of the metrics.
package struct MetricsAddress: Hashable, Sendable {
    package var host: String
    package var port: Int

    /// Reads `127.0.0.1:9178` or `[::1]:9178`.
    package init?(parsing text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65535).contains(port) else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
        self.host = host
        self.port = port
    }
}

/// Answers `GET /metrics`, `GET /healthz` and `GET /readyz` over HTTP, with one request for each connection.
///
/// If the port is in use, the server logs a warning and retries: pods must not wait for metrics. The number of connections, and the bytes
/// and time of each connection, are bounded.
struct MetricsServer: Service {
    let address: MetricsAddress
    let eventLoopGroup: MultiThreadedEventLoopGroup
    /// The page at `/metrics`.
    let page: @Sendable () async -> String
    let health: NodeHealth
    let log: Logger

    static let connections = 16
    static let requestBytes = 16 << 10
    static let connectionTimeout = TimeAmount.seconds(10)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var attempt = 0
            while !Task.isCancelled {
                do {
                    let server = try await bind()
                    log.info("serving metrics", metadata: ["address": "\(address.host):\(address.port)"])
                    attempt = 0
                    try await serve(on: server)
                } catch {
                    if Task.isCancelled { return }
                    if attempt == 0 { report(error) }
                }
                attempt += 1
                try? await Task.sleep(for: Backoff.delay(attempt: attempt + 3, longest: .seconds(10)))
            }
        }
    }

    private func report(_ error: any Error) {
        guard (error as? IOError)?.errnoCode == EADDRINUSE else {
            return log.warning(
                "metrics not served; retrying", metadata: ["address": "\(address.host):\(address.port)", "error": "\(error)"])
        }
        log.notice(
            "the port for metrics is in use, for example by the other pod of a rolling update; retrying until it is free",
            metadata: ["address": "\(address.host):\(address.port)"])
    }

    private typealias Client = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>

    private func bind() async throws -> NIOAsyncChannel<Client, Never> {
        try await ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [log] in AcceptBackoff.add(to: $0, log: log) }
            .bind(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ConnectionLimits())
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(BufferBodies())
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    private func serve(on server: NIOAsyncChannel<Client, Never>) async throws {
        let open = OpenConnections()
        try await server.executeThenClose { clients in
            try await withThrowingDiscardingTaskGroup { group in
                for try await client in clients {
                    let isTooMany = open.enter() > Self.connections
                    group.addTask { await serve(client, isTooMany: isTooMany, open) }
                }
                group.cancelAll()
            }
        }
    }

    /// Serves a client, or closes its connection at once. An error ends only that client's connection.
    private func serve(_ client: Client, isTooMany: Bool, _ open: OpenConnections) async {
        try? await isTooMany ? client.executeThenClose { _, _ in } : serve(client)
        open.leave()
    }

    private func serve(_ client: Client) async throws {
        try await client.executeThenClose { requests, answers in
            var head: HTTPRequestHead?
            for try await part in requests {
                switch part {
                case .head(let given): head = given
                case .body: break
                case .end:
                    if let head { try await write(await answer(head), to: head, answers) }
                    return
                }
            }
        }
    }

    private func write(
        _ answer: (status: HTTPResponseStatus, text: String), to request: HTTPRequestHead,
        _ answers: NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>
    ) async throws {
        let headers = HTTPHeaders([
            ("Content-Type", "text/plain; version=0.0.4"), ("Content-Length", "\(answer.text.utf8.count)"), ("Connection", "close"),
        ])
        try await answers.write(.head(HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)))
        if request.method != .HEAD { try await answers.write(.body(ByteBuffer(string: answer.text))) }
        try await answers.write(.end(nil))
    }

    private func answer(_ request: HTTPRequestHead) async -> (HTTPResponseStatus, String) {
        guard request.method == .GET || request.method == .HEAD else { return (.methodNotAllowed, "only GET is supported\n") }
        switch request.uri.prefix(while: { $0 != "?" }) {
        case "/metrics": return (.ok, await page())
        case "/healthz": return await answer(.alive)
        case "/readyz": return await answer(.ready)
        default: return (.notFound, "paths are /metrics, /healthz and /readyz\n")
        }
    }

    private func answer(_ level: NodeRequest.Level) async -> (HTTPResponseStatus, String) {
        await health.problem(level).map { (.serviceUnavailable, "\($0)\n") } ?? (.ok, "ok\n")
    }
}

private final class OpenConnections: Sendable {
    private let count = Mutex(0)

    /// Counts a connection.
    ///
    /// - Returns: the number of open connections with it.
    func enter() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
}

/// Adapts bodies, which are buffers here, to the encoder, which also supports files.
private final class BufferBodies: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPServerResponsePart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let buffer): .body(.byteBuffer(buffer))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}

/// Closes a connection that exceeds its time or its bytes.
private final class ConnectionLimits: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var bytes = 0
    private var end: Scheduled<Void>?

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        end = context.eventLoop.scheduleTask(in: MetricsServer.connectionTimeout) { channel.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        bytes += part.readableBytes
        if bytes > MetricsServer.requestBytes { context.close(promise: nil) } else { context.fireChannelRead(wrapInboundOut(part)) }
    }
}
