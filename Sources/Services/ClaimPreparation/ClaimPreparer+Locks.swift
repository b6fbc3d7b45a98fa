// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import JournalModel
import Linux

extension ClaimPreparer {
    /// Waits for the lock of a claim, which other calls for it take, in this instance and the other one of a rolling update.
    func lockClaim(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) -> Descriptor? {
        guard let folder = options.lockFolder else { return nil }
        do {
            let file = try FileLock.open("\(folder)/claims.lock")
            if try FileLock.tryLock(file, key: identity.uid) { return file }
            return try await FileLock.wait(
                "\(folder)/claims.lock", key: identity.uid, pause: Self.lockPause,
                timeout: min(Self.lockTimeout, end - ContinuousClock.now)
            )
        } catch { throw ClaimError("claim \(identity): another call for this claim does not come to an end: \(error); retry") }
    }

    /// Runs a step between reading all plans and writing some, with nobody else in between: no other call here, as nothing is awaited
    /// inside, and not the other instance of a rolling update.
    ///
    /// - Parameter subject: what it is done for, for errors.
    func withPlans<Value>(
        _ subject: String, until end: ContinuousClock.Instant, _ body: () throws(ClaimError) -> Value
    ) async throws(ClaimError) -> Value {
        guard let folder = options.lockFolder else { return try body() }
        let end = min(end, ContinuousClock.now + Self.lockTimeout)
        do {
            let file = try FileLock.open("\(folder)/serialize.lock")
            while true {
                if try file.tryLock() {
                    defer { withExtendedLifetime(file) {} }
                    return try body()
                }
                guard ContinuousClock.now < end else {
                    throw ClaimError("\(subject): another instance of this driver is in the middle of a plan and does not go on; retry")
                }
                try await Task.sleep(for: Self.lockPause)
            }
        } catch let error as ClaimError { throw error } catch { throw ClaimError("\(subject): the plans cannot be locked: \(error)") }
    }

    private static let lockPause = Duration.milliseconds(5)

    /// Nobody holds a lock longer than it takes to read a claim or to write some files, unless it is frozen.
    private static let lockTimeout = Duration.seconds(10)
}
