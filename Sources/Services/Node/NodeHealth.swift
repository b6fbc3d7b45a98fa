// SPDX-License-Identifier: Apache-2.0

import ClaimPreparation
import ControlProtocol
import KubeletPlugin
import NIOCore
import SlicePublisher
import Synchronization

/// Liveness and readiness of this instance, for probes over the socket and over HTTP.
struct NodeHealth: Sendable {
    /// The states that the services report.
    final class Board: Sendable {
        private struct State {
            var registration = RegistrationStatus.awaited
            var publishes = false
        }

        private let state = Mutex(State())

        var registration: RegistrationStatus {
            get { state.withLock { $0.registration } }
            set { state.withLock { $0.registration = newValue } }
        }

        /// False before this instance writes slices, in particular while the other instance of a rolling update does.
        var publishes: Bool {
            get { state.withLock { $0.publishes } }
            set { state.withLock { $0.publishes = newValue } }
        }
    }

    let board: Board
    let loop: any EventLoop
    let preparer: ClaimPreparer
    let publisher: SlicePublisher
    let registry: String

    /// The reason why this instance is not alive or ready; nil if it is. If the event loop or the claim preparer hangs, this call never
    /// returns, and the caller's time-out applies.
    func problem(_ level: NodeRequest.Level) async -> String? {
        do { try await loop.submit {}.get() } catch { return "the event loop does not run: \(error)" }
        await preparer.answer()
        return level == .alive ? nil : await readinessProblem()
    }

    private func readinessProblem() async -> String? {
        switch board.registration {
        case .registered: break
        case .awaited: return "the kubelet has not queried this plugin yet; it watches \(registry)"
        case .failed(let reason): return reason
        }
        if let reason = await preparer.injectorProblem(timeout: Self.injectorTimeout) { return reason }
        // In a rolling update the old instance writes the slices until it ends.
        if board.publishes, await !publisher.current.isCurrent { return "the API server has not accepted all slices of this node yet" }
        return nil
    }

    private static let injectorTimeout = Duration.seconds(2)
}
