// SPDX-License-Identifier: Apache-2.0

/// A signal that coalesces: the reader gets one element for any number of calls.
package struct Wakeup: Sendable {
    /// The sending end. It does not own the reader's end, whose loss ``onEnd(_:)`` reports.
    package struct Sender: Sendable {
        fileprivate let continuation: AsyncStream<Void>.Continuation

        /// Wakes the reader.
        package func signal() { continuation.yield() }

        /// Ends the signals.
        package func finish() { continuation.finish() }

        /// Calls the closure once, after the end of the signals or the loss of the reader.
        package func onEnd(_ body: @escaping @Sendable () -> Void) { continuation.onTermination = { _ in body() } }
    }

    /// One element for all signals since the last one; ends when the reader is cancelled. For one reader.
    package let signals: AsyncStream<Void>
    package let sender: Sender

    package init() {
        let (signals, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        (self.signals, sender) = (signals, Sender(continuation: continuation))
    }

    /// Wakes the reader.
    package func signal() { sender.signal() }

    /// Forwards signals of another source until that source ends or the task is cancelled.
    package func forward(_ changes: AsyncStream<Void>) async { for await _ in changes { signal() } }
}
