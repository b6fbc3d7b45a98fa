// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Journal
package import JournalModel

extension ClaimPreparer {
    /// Returns as soon as this actor is idle.
    package func answer() {}

    /// Claims that have a plan, by UID.
    package func claims() -> [ClaimIdentity] { plans.all().map(\.claim).sorted { $0.uid < $1.uid } }

    /// The reason why interfaces of claims cannot be attached now; nil if `nearside-nri` is synchronised with the runtime.
    package func injectorProblem(timeout: Duration) async -> String? {
        switch await ask(.status, timeout: timeout).value {
        case .success(.ok), .success(.supports): nil
        case .success(.refused(let reason)): reason
        case .failure(let error): error.description
        }
    }
}
