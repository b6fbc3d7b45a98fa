// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts from several threads.
final class Counter: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
