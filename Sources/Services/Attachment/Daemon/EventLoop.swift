// SPDX-License-Identifier: Apache-2.0

package import Linux

/// A part of the daemon that waits for descriptors, for a time, or for both.
package protocol EventSource: AnyObject {
    /// The descriptors that end the wait before the next turn.
    var descriptors: [Descriptor] { get }
    /// The latest time of the next turn; nil for no limit.
    var deadline: Deadline? { get }
    /// Does all work that is due. The loop calls it in each turn, also in turns that other sources caused.
    ///
    /// - Parameter ready: the source's descriptors that ended the wait.
    func handle(_ ready: ReadyDescriptors)
}

/// Descriptors that ended a wait.
package struct ReadyDescriptors {
    /// Objects and not numbers, because the kernel reuses the number of a closed descriptor.
    private let descriptors: [Descriptor]

    package init(_ descriptors: [Descriptor]) { self.descriptors = descriptors }

    package var isEmpty: Bool { descriptors.isEmpty }
    /// True if this descriptor object ended the wait.
    package func contains(_ descriptor: Descriptor) -> Bool { descriptors.contains { $0 === descriptor } }
}

/// The loop of a daemon with one thread: waits for all sources, and then calls each of them in order.
package struct EventLoop {
    private let sources: [any EventSource]
    private let termination: Descriptor

    /// - Parameter termination: ends the loop when it becomes readable.
    package init(_ sources: [any EventSource], termination: Descriptor) {
        self.sources = sources
        self.termination = termination
    }

    /// Runs until the termination descriptor becomes readable. The first turn does not wait.
    package func run() throws(SystemError) {
        var ready = sources.map { _ in ReadyDescriptors([]) }
        while true {
            for (source, ready) in zip(sources, ready) { source.handle(ready) }
            let waiting = sources.map(\.descriptors)
            let descriptors = [termination] + waiting.flatMap(\.self)
            let indices = try Poller.readable(descriptors, until: sources.compactMap(\.deadline).min())
            if indices.first == 0 { return }
            let all = Set(indices)
            var start = 1
            ready = waiting.map { own in
                defer { start += own.count }
                return ReadyDescriptors(own.indices.filter { all.contains(start + $0) }.map { own[$0] })
            }
        }
    }
}
