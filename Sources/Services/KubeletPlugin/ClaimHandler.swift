// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
package import ClaimPreparation
package import JournalModel

/// Prepares and releases claims for the kubelet's calls.
package protocol ClaimHandler: Sendable {
    func prepare(_ claim: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice]
    func unprepare(_ claim: ClaimIdentity) async throws(ClaimError)
}

extension ClaimPreparer: ClaimHandler {}
