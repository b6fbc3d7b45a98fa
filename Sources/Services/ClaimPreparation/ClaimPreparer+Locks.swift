// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Glibc
import JournalModel
import Linux

extension ClaimPreparer {
    /// Locks a claim against other calls, in this instance and in the other instance of a rolling update.
    ///
    /// - Returns: the lock, which is held until it is released; nil if no other instance can exist.
    func lockClaim(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) -> Descriptor? {
        guard let folder = options.lockFolder else { return nil }
        do {
            let file = try FileLock.open("\(folder)/claims.lock")
            if try FileLock.tryLock(file, key: identity.uid) { return file }
            return try await FileLock.wait(
                "\(folder)/claims.lock", key: identity.uid, interval: Self.lockInterval,
                timeout: min(Self.lockTimeout, end - ContinuousClock.now)
            )
        } catch { throw ClaimError(.busy, identity, step: "lock", "another call for this claim has not ended: \(error)", advice: "retry") }
    }

    /// Runs a step that reads all plans and writes some, without another writer in between: the step contains no suspension point, and
    /// the lock excludes the other instance of a rolling update.
    ///
    /// - Parameter object: the object of the step, for errors.
    func withPlans<Value>(
        _ object: String, until end: ContinuousClock.Instant, _ body: () throws(ClaimError) -> Value
    ) async throws(ClaimError) -> Value {
        let lock = try await lockPlans(object, until: min(end, ContinuousClock.now + Self.lockTimeout))
        defer { withExtendedLifetime(lock) {} }
        return try body()
    }

    private func lockPlans(_ object: String, until end: ContinuousClock.Instant) async throws(ClaimError) -> Descriptor? {
        guard let folder = options.lockFolder else { return nil }
        do {
            let file = try FileLock.open("\(folder)/serialize.lock")
            while try !file.tryLock() {
                guard ContinuousClock.now < end else {
                    throw SystemError("lock", "\(folder)/serialize.lock", code: EWOULDBLOCK)
                }
                try await Task.sleep(for: Self.lockInterval)
            }
            return file
        } catch {
            throw ClaimError(.busy, object: object, step: "lock the plans", "\(error)", advice: "retry")
        }
    }

    private static let lockInterval = Duration.milliseconds(5)

    /// The time-out of a lock: its holder reads a claim or writes some files, unless it is stopped.
    private static let lockTimeout = Duration.seconds(10)
}
