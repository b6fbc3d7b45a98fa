// SPDX-License-Identifier: Apache-2.0

/// A signal: any number of calls are one for the reader.
package struct Wakeup: Sendable {
    /// One element for all signals since the last one; ends when the reader is cancelled. For one reader.
    package let signals: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() { (signals, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    /// Wakes the reader.
    package func signal() { continuation.yield() }

    /// Passes on signals of another source until that ends or the task is cancelled.
    package func forward(_ changes: AsyncStream<Void>) async { for await _ in changes { signal() } }
}
