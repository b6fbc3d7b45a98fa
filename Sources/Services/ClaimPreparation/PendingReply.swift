// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Linux
import Synchronization

/// What `nearside-nri` says to a question that was put to it: asked at once, on a thread that may wait, and there when somebody wants
/// to know.
final class PendingReply: Sendable {
    typealias Reply = Result<ControlReply, ControlUnreachable>

    private enum State {
        case nobodyWaits
        case awaited(CheckedContinuation<Reply, Never>)
        case there(Reply)
    }

    private let state = Mutex(State.nobodyWaits)

    init(to request: ControlRequest, socket: String, milliseconds: Int) {
        do throws(SystemError) {
            try CachedThreadPool.shared.run {
                do throws(ControlUnreachable) {
                    self.give(.success(try ControlClient.ask(request, socket: socket, milliseconds: milliseconds)))
                } catch { self.give(.failure(error)) }
            }
        } catch { give(.failure(ControlUnreachable(text: "\(error)"))) }
    }

    private func give(_ reply: Reply) {
        let waiting: CheckedContinuation<Reply, Never>? = state.withLock { state in
            defer { state = .there(reply) }
            if case .awaited(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(returning: reply)
    }

    /// True when ``value`` can be had without waiting.
    var isThere: Bool {
        state.withLock { state in
            if case .there = state { return true }
            return false
        }
    }

    /// Waited for to the end, also by a call that was cancelled: what was asked for goes on meanwhile. For one who asks.
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
