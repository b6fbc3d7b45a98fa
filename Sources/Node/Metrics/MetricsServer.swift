// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// Where the metrics are served: an address of this host, on loopback unless told otherwise, and a port.
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

/// Answers `GET /metrics` and `GET /healthz` over HTTP.
///
/// A port that somebody else has is told of and waited for: no pod should wait for a figure.
struct MetricsServer: Service {
    let address: MetricsAddress
    let eventLoopGroup: MultiThreadedEventLoopGroup
    /// Makes the page.
    let page: @Sendable () async -> String
    let log: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isTold = false
            while !Task.isCancelled {
                do { try await serve(on: bind()) } catch {
                    if Task.isCancelled { return }
                    if !isTold {
                        log.warning(
                            "no metrics for now: nobody can be served at \(address.host):\(address.port)", metadata: ["error": "\(error)"])
                    }
                    isTold = true
                }
                // The pod before this one in a rolling update may have the port.
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    private typealias Client = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>

    private func bind() async throws -> NIOAsyncChannel<Client, Never> {
        try await ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(BufferBodies())
                    try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: .seconds(60)))
                    try channel.pipeline.syncOperations.addHandler(CloseWhenIdle())
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    private func serve(on server: NIOAsyncChannel<Client, Never>) async throws {
        try await server.executeThenClose { clients in
            try await withThrowingDiscardingTaskGroup { group in
                // What goes wrong with one client is that client's.
                for try await client in clients { group.addTask { try? await serve(client) } }
                group.cancelAll()
            }
        }
    }

    private func serve(_ client: Client) async throws {
        try await client.executeThenClose { requests, answers in
            var head: HTTPRequestHead?
            for try await part in requests {
                switch part {
                case .head(let given): head = given
                case .body: break
                case .end:
                    guard let request = head else { return }
                    let (status, text) = await answer(request)
                    var headers = HTTPHeaders([("Content-Type", "text/plain; version=0.0.4"), ("Content-Length", "\(text.utf8.count)")])
                    if !request.isKeepAlive { headers.add(name: "Connection", value: "close") }
                    try await answers.write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
                    if request.method != .HEAD { try await answers.write(.body(ByteBuffer(string: text))) }
                    try await answers.write(.end(nil))
                    if !request.isKeepAlive { return }
                }
            }
        }
    }

    private func answer(_ request: HTTPRequestHead) async -> (HTTPResponseStatus, String) {
        guard request.method == .GET || request.method == .HEAD else { return (.methodNotAllowed, "GET is all that is served\n") }
        switch request.uri.prefix(while: { $0 != "?" }) {
        case "/metrics": return (.ok, await page())
        case "/healthz": return (.ok, "ok\n")
        default: return (.notFound, "there are /metrics and /healthz\n")
        }
    }
}

/// Bodies are buffers here, and could be files for the encoder.
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

/// A client that says nothing for a minute does not keep its connection.
private final class CloseWhenIdle: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) } else { context.fireUserInboundEventTriggered(event) }
    }
}
