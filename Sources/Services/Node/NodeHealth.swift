// SPDX-License-Identifier: Apache-2.0

import ClaimPreparation
import ControlProtocol
import KubeletPlugin
import NIOCore
import SlicePublisher
import Synchronization

/// Liveness and readiness of this instance, for probes over the socket and over HTTP alike.
struct NodeHealth: Sendable {
    /// The states that the daemon's parts report.
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

        /// False while another instance writes the slices of this node, or none does yet.
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

    /// The reason for which this instance is not alive or ready; nil when it is. When the thread that serves sockets or the part that
    /// prepares claims hangs, this never returns, and the caller's time-out decides.
    func problem(_ level: NodeRequest.Level) async -> String? {
        do { try await loop.submit {}.get() } catch { return "the event loop does not run: \(error)" }
        await preparer.answer()
        return level == .alive ? nil : await readinessProblem()
    }

    private func readinessProblem() async -> String? {
        switch board.registration {
        case .registered: break
        case .awaited: return "the kubelet has not asked for this plugin yet; it looks in \(registry)"
        case .failed(let reason): return reason
        }
        if let reason = await preparer.injectorProblem(timeout: Self.injectorTimeout) { return reason }
        // In a rolling update the other instance writes the slices until it ends.
        if board.publishes, await !publisher.current.isCurrent { return "the API server has not accepted all slices of this node yet" }
        return nil
    }

    private static let injectorTimeout = Duration.seconds(2)
}
