// SPDX-License-Identifier: Apache-2.0

import Linux
import Testing

/// Deadlines, and their milliseconds for poll(2).
struct DeadlineTests {
    @Test(arguments: [
        (Duration.zero, 0), (.milliseconds(1), 1), (.nanoseconds(1), 1), (.microseconds(1001), 2), (.seconds(2), 2000),
        (.seconds(Int64.max), .max),
    ])
    func `a duration is rounded up to milliseconds, so that no wait ends before its deadline`(duration: Duration, milliseconds: Int) {
        #expect(duration.milliseconds == milliseconds)
    }

    @Test
    func `a deadline passes after its duration, and its remaining time is never negative`() throws {
        let deadline = Deadline.after(.milliseconds(20))
        #expect(!deadline.hasPassed && deadline.remaining > .zero)
        while !deadline.hasPassed { _ = try Poller.readable([], until: deadline) }
        #expect(deadline.remaining == .zero && deadline < .now)
    }
}
