// SPDX-License-Identifier: Apache-2.0

import Attachment
import Linux
import Testing

/// The loop of nearside-nri, with sources that record their turns.
struct EventLoopTests {
    /// The turns of all sources, in their order.
    private final class Journal {
        var turns: [(source: String, isReady: Bool)] = []
    }

    private final class Source: EventSource {
        let name: String
        let journal: Journal
        var descriptors: [Descriptor] = []
        var deadline: Deadline?
        var body: (ReadyDescriptors) throws -> Void = { _ in }

        init(_ name: String, _ journal: Journal) { (self.name, self.journal) = (name, journal) }

        func handle(_ ready: ReadyDescriptors) {
            journal.turns.append((name, !ready.isEmpty))
            try? body(ready)
        }
    }

    @Test
    func `each turn calls all sources in order, and passes each source only its own descriptors`() throws {
        let (journal, termination, pipe) = (Journal(), try Descriptor.pipe(), try Descriptor.pipe())
        let (first, second) = (Source("first", journal), Source("second", journal))
        second.descriptors = [pipe.reading]
        // The first turn triggers the second source; the second turn ends the loop.
        first.body = { _ in try (journal.turns.count == 1 ? pipe.writing : termination.writing).write(all: [1]) }
        second.body = { ready in if ready.contains(pipe.reading) { _ = try pipe.reading.read(atMost: 1) } }
        try EventLoop([first, second], termination: termination.reading).run()
        #expect(journal.turns.map(\.source) == ["first", "second", "first", "second"])
        #expect(journal.turns.map(\.isReady) == [false, false, false, true])
    }

    @Test
    func `the earliest deadline begins a turn, and a deadline in the past begins it at once`() throws {
        let (journal, termination) = (Journal(), try Descriptor.pipe())
        let (late, soon) = (Source("late", journal), Source("soon", journal))
        late.deadline = .after(.seconds(60))
        soon.deadline = .after(.milliseconds(10))
        soon.body = { _ in if journal.turns.count >= 4 { try termination.writing.write(all: [1]) } }
        let start = Deadline.after(.seconds(30))
        try EventLoop([late, soon], termination: termination.reading).run()
        #expect(journal.turns.map(\.source) == ["late", "soon", "late", "soon"] && !start.hasPassed)
    }
}
