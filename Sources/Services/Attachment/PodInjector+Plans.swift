// SPDX-License-Identifier: Apache-2.0

import Journal
package import JournalModel

extension PodInjector {
    /// All plans that can be read, and those that could be before they were damaged.
    package var allPlans: [ClaimPlan] { Array(plans.all()) }

    /// UIDs of claims of which nothing is known but that their plans were damaged.
    package var lostClaims: Set<String> { plans.lostClaims() }

    /// - Throws: ``InjectionError`` for a claim that has no plan, or is being given up.
    package func preparedPlan(_ uid: String) throws(InjectionError) -> ClaimPlan {
        guard let plan = plans.plan(uid), plan.phase == .prepared else { throw InjectionError("claim \(uid) is not prepared on this node") }
        return plan
    }
}
