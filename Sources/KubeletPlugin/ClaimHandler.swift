// SPDX-License-Identifier: Apache-2.0

package import Journal
package import Preparation

/// What the kubelet's calls come down to.
package protocol ClaimHandler: Sendable {
    func prepare(_ claim: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice]
    func unprepare(_ claim: ClaimIdentity) async throws(ClaimError)
}

extension ClaimPreparer: ClaimHandler {}

/// Every claim of a request gets its own entry in the answer, with an error if it has one: the call as a
/// whole does not fail.
extension ClaimHandler {
    func prepareAll(_ claims: [ClaimIdentity]) async -> [(uid: String, devices: [PreparedDevice], error: String)] {
        var entries: [(uid: String, devices: [PreparedDevice], error: String)] = []
        for claim in claims {
            do throws(ClaimError) { entries.append((claim.uid, try await prepare(claim), "")) } catch {
                entries.append((claim.uid, [], error.description))
            }
        }
        return entries
    }

    func unprepareAll(_ claims: [ClaimIdentity]) async -> [(uid: String, error: String)] {
        var entries: [(uid: String, error: String)] = []
        for claim in claims {
            do throws(ClaimError) {
                try await unprepare(claim)
                entries.append((claim.uid, ""))
            } catch { entries.append((claim.uid, error.description)) }
        }
        return entries
    }
}
