// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ClaimPreparation
import JournalModel

/// The claims of one call of the kubelet.
///
/// Each claim has its own entry with its own error in the answer: the call as a whole does not fail, and a slow claim does not delay the
/// others.
struct ClaimCalls: Sendable {
    let handler: any ClaimHandler
    let executors: ClaimExecutors

    /// The number of claims of one call that are handled in parallel.
    static let concurrentClaims = 16
    /// The limit of an error's text in bytes: the kubelet accepts answers of at most 4 MiB, and copies the text into events.
    static let errorBytes = 2048
    /// The time-out for the start of a claim, which then gets an error: the kubelet's time-out for a call is 45 seconds, and it retries.
    static let startTimeout = Duration.seconds(40)

    struct Entry: Sendable {
        var uid: String
        var devices: [PreparedDevice] = []
        var error = ""
    }

    func prepare(_ claims: [ClaimIdentity]) async -> [Entry] {
        await each(claims) { claim in
            do throws(ClaimError) { return Entry(uid: claim.uid, devices: try await handler.prepare(claim)) } catch {
                return Entry(uid: claim.uid, error: Self.bounded(error.description))
            }
        }
    }

    func unprepare(_ claims: [ClaimIdentity]) async -> [Entry] {
        await each(claims) { claim in
            do throws(ClaimError) {
                try await handler.unprepare(claim)
                return Entry(uid: claim.uid)
            } catch { return Entry(uid: claim.uid, error: Self.bounded(error.description)) }
        }
    }

    private func each(_ claims: [ClaimIdentity], _ body: @escaping @Sendable (ClaimIdentity) async -> Entry) async -> [Entry] {
        if claims.isEmpty { return [] }
        if claims.count == 1 { return [await executors.run { await body(claims[0]) }] }
        let end = ContinuousClock.now + Self.startTimeout
        return await withTaskGroup(of: Entry.self) { group in
            var entries: [Entry] = []
            for (index, claim) in claims.enumerated() {
                if index >= Self.concurrentClaims, let entry = await group.next() { entries.append(entry) }
                group.addTask { await run(claim, until: end, body) }
            }
            for await entry in group { entries.append(entry) }
            return entries
        }
    }

    /// Handles a claim, unless the other claims of the call used up the time.
    private func run(
        _ claim: ClaimIdentity, until end: ContinuousClock.Instant, _ body: @escaping @Sendable (ClaimIdentity) async -> Entry
    ) async -> Entry {
        if ContinuousClock.now < end { return await executors.run { await body(claim) } }
        let error = ClaimError(.busy, claim, step: "begin", "other claims of the call took all the time", advice: "retry")
        return Entry(uid: claim.uid, error: error.description)
    }

    /// The text; a longer one is cut at a character, and ends with the number of omitted bytes.
    static func bounded(_ text: String) -> String {
        guard text.utf8.count > errorBytes else { return text }
        var kept = Substring(String(decoding: text.utf8.prefix(errorBytes - 40), as: UTF8.self))
        // A character that was cut in the middle is decoded as a replacement character.
        while kept.last == "\u{fffd}" { kept.removeLast() }
        return "\(kept)... and \(text.utf8.count - kept.utf8.count) bytes more"
    }
}
