// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The health of a device, as the kubelet wants to hear of it.
package struct DeviceHealth: Hashable, Sendable {
    package var pool: String
    package var device: String
    package var isHealthy: Bool
    /// For people; it ends up in the pod's status.
    package var message: String

    package init(pool: String, device: String, isHealthy: Bool, message: String = "") {
        self.pool = pool
        self.device = device
        self.isHealthy = isHealthy
        self.message = message
    }
}

/// Where the latest health of all devices hangs, for whoever streams it.
package final class HealthBoard: Sendable {
    private struct State {
        var conditions: [DeviceHealth] = []
        var readers: [Int: AsyncStream<Void>.Continuation] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var conditions: [DeviceHealth] { state.withLock { $0.conditions } }

    package func post(_ conditions: [DeviceHealth]) {
        let readers = state.withLock { state -> [AsyncStream<Void>.Continuation] in
            guard state.conditions != conditions else { return [] }
            state.conditions = conditions
            return Array(state.readers.values)
        }
        for reader in readers { reader.yield() }
    }

    /// An element for each change.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.next += 1
            state.readers[state.next] = continuation
            return state.next
        }
        continuation.onTermination = { _ in self.state.withLock { _ = $0.readers.removeValue(forKey: number) } }
        return stream
    }
}

/// What of the stream is the same in all versions (KEP-4680).
enum HealthStream {
    /// The kubelet takes health that is older, in seconds, for unknown.
    static let timeout = 60
    /// Sent again so often.
    private static let interval = Duration.seconds(20)
    /// The kubelet cuts messages that are longer.
    static let messageBytes = 1024

    /// Sends at once, with each change, and before what was sent last grows old.
    static func run(_ board: HealthBoard, send: () async throws -> Void) async throws {
        let (occasions, occasion) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        occasion.yield()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in board.changes() { occasion.yield() } }
            group.addTask {
                while true {
                    try await Task.sleep(for: interval)
                    occasion.yield()
                }
            }
            for await _ in occasions { try await send() }
            group.cancelAll()
        }
    }
}
