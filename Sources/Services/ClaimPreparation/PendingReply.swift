// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Linux
import Synchronization

/// The reply of `nearside-nri` to a request that is sent at once, on a thread that may block, and whose reply can be awaited later.
final class PendingReply: Sendable {
    typealias Reply = Result<ControlReply, ControlUnreachable>

    private enum State {
        case nobodyWaits
        case awaited(CheckedContinuation<Reply, Never>)
        case there(Reply)
    }

    private let state = Mutex(State.nobodyWaits)

    init(to request: ControlRequest, socket: String, timeout: Duration) {
        do throws(SystemError) {
            try CachedThreadPool.shared.run {
                do throws(ControlUnreachable) {
                    self.give(.success(try ControlClient.ask(request, socket: socket, timeout: timeout)))
                } catch { self.give(.failure(error)) }
            }
        } catch { give(.failure(ControlUnreachable(.noAnswer, "nearside-nri", error))) }
    }

    private func give(_ reply: Reply) {
        let waiting: CheckedContinuation<Reply, Never>? = state.withLock { state in
            defer { state = .there(reply) }
            if case .awaited(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(returning: reply)
    }

    /// True if ``value`` returns at once.
    var isThere: Bool {
        state.withLock { state in
            if case .there = state { return true }
            return false
        }
    }

    /// The reply. A cancelled call waits for it too, because the request cannot be cancelled. For one reader.
    var value: Reply {
        get async {
            await withCheckedContinuation { continuation in
                let reply: Reply? = state.withLock { state in
                    if case .there(let reply) = state { return reply }
                    state = .awaited(continuation)
                    return nil
                }
                if let reply { continuation.resume(returning: reply) }
            }
        }
    }
}
