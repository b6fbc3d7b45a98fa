// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Logging
package import NIOCore

/// Suspends a listening socket for a second after a connection could not be accepted for lack of descriptors or memory.
///
/// SwiftNIO's own `AcceptBackoffHandler` delays the next read, but the channel stays registered for the event, which the kernel reports
/// continuously (`readPending` in `ServerSocketChannel.readFromSocket`, SwiftNIO 2.101). Without automatic reads the channel is not
/// registered.
package final class AcceptBackoff: ChannelInboundHandler {
    /// Accepted connections, which pass unchanged.
    package typealias InboundIn = any Channel

    private static let delay = TimeAmount.seconds(1)
    /// Errors that end when connections are closed (accept(2)).
    private static let temporaryErrors = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    private let log: Logger
    private var retry: Scheduled<Void>?

    package init(log: Logger) { self.log = log }

    /// Adds a backoff to a channel before it listens.
    package static func add(to channel: any Channel, log: Logger) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptBackoff(log: log)) }
    }

    /// Suspends accepting after a temporary error. Passes other errors on.
    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, Self.temporaryErrors.contains(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        guard retry == nil else { return }
        log.error(
            "connection not accepted", metadata: ["socket": "\(context.channel.localAddress?.description ?? "")", "error": "\(error)"])
        let channel = context.channel
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        retry = context.eventLoop.assumeIsolated().scheduleTask(in: Self.delay) {
            self.retry = nil
            try? channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }

    /// Cancels the next attempt if the socket is closed.
    package func channelInactive(context: ChannelHandlerContext) {
        retry?.cancel()
        context.fireChannelInactive()
    }
}
