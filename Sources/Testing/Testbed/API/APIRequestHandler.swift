// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import Synchronization

/// Passes the server to handlers, because the server is complete only after their set-up.
final class Router: Sendable {
    let server = Mutex<APIServer?>(nil)
}

/// Collects a request, and passes it on.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let router: Router
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ router: Router) { self.router = router }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, body) = (head, [])
        case .body(let part): body += part.readableBytesView
        case .end:
            if let head { router.server.withLock { $0 }?.handle(head, body, context.channel) }
        }
    }
}
