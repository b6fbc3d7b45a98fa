// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Journal
package import JournalModel

extension ClaimPreparer {
    /// Returns when nothing keeps this actor busy.
    package func answer() {}

    /// The claims that have a plan.
    package func claims() -> [ClaimIdentity] { plans.all().map(\.claim).sorted { $0.uid < $1.uid } }

    /// Why interfaces of claims cannot be attached now; nil when `nearside-nri` is synchronised with the runtime.
    package func injectorProblem(milliseconds: Int) async -> String? {
        switch await ask(.status, milliseconds: milliseconds).value {
        case .success(.ok), .success(.supports): nil
        case .success(.refused(let why)): why
        case .failure(let error): error.description
        }
    }
}
