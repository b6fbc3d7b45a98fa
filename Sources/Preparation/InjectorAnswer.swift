// SPDX-License-Identifier: Apache-2.0

import InjectorSocket
import Linux

/// What `nearside-nri` says to a question that was put to it: asked at once, on a thread that may wait, and there when somebody wants
/// to know.
struct InjectorAnswer: Sendable {
    typealias Reply = Result<SocketReply, InjectorUnreachable>
    private let replies: AsyncStream<Reply>

    init(to request: InjectorRequest, socket: String, milliseconds: Int) {
        let (replies, continuation) = AsyncStream<Reply>.makeStream()
        self.replies = replies
        do throws(SystemError) {
            try KernelThread.start {
                do throws(InjectorUnreachable) {
                    continuation.yield(.success(try InjectorClient.ask(request, socket: socket, milliseconds: milliseconds)))
                } catch { continuation.yield(.failure(error)) }
                continuation.finish()
            }
        } catch {
            continuation.yield(.failure(InjectorUnreachable(text: "\(error)")))
            continuation.finish()
        }
    }

    /// Waits for it. It is there once.
    var value: Reply {
        get async {
            for await reply in replies { return reply }
            return .failure(InjectorUnreachable(text: "nobody waits for nearside-nri any more"))
        }
    }
}
