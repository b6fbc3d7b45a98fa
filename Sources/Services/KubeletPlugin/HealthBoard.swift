// SPDX-License-Identifier: Apache-2.0

import Linux
import Synchronization

/// The health of a device, as in the kubelet's API.
package struct DeviceHealth: Hashable, Sendable {
    package var pool: String
    package var device: String
    package var isHealthy: Bool
    /// The reason, as shown in the pod's status.
    package var message: String

    package init(pool: String, device: String, isHealthy: Bool, message: String = "") {
        self.pool = pool
        self.device = device
        self.isHealthy = isHealthy
        self.message = message
    }
}

/// The latest health of all devices, shared with the health streams.
package final class HealthBoard: Sendable {
    private struct State {
        var conditions: [DeviceHealth] = []
        var readers: [Int: Wakeup.Sender] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var conditions: [DeviceHealth] { state.withLock { $0.conditions } }

    /// Replaces the health of all devices, and wakes the streams if it has changed.
    package func post(_ conditions: [DeviceHealth]) {
        let readers = state.withLock { state -> [Wakeup.Sender] in
            guard state.conditions != conditions else { return [] }
            state.conditions = conditions
            return Array(state.readers.values)
        }
        for reader in readers { reader.signal() }
    }

    /// A stream with an element for each change.
    func changes() -> AsyncStream<Void> {
        let wakeup = Wakeup()
        let number = state.withLock { state in
            state.next += 1
            state.readers[state.next] = wakeup.sender
            return state.next
        }
        wakeup.sender.onEnd { self.state.withLock { _ = $0.readers.removeValue(forKey: number) } }
        return wakeup.signals
    }
}

/// The part of the health stream that all API versions share (KEP-4680).
enum HealthStream {
    /// The age at which the kubelet considers health unknown.
    static let timeout = Duration.seconds(60)
    /// The interval at which unchanged health is sent again.
    private static let interval = Duration.seconds(20)
    /// The length to which the kubelet truncates messages.
    static let messageBytes = 1024

    /// Sends the health at once, after each change, and before the last message expires.
    static func run(_ board: HealthBoard, send: () async throws -> Void) async throws {
        let wakeup = Wakeup()
        wakeup.signal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await wakeup.forward(board.changes()) }
            group.addTask {
                while true {
                    try await Task.sleep(for: interval)
                    wakeup.signal()
                }
            }
            for await _ in wakeup.signals { try await send() }
            group.cancelAll()
        }
    }
}
