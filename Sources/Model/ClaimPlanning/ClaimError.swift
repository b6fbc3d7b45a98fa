// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
package import JournalModel

/// An error in preparing or releasing a claim. The kubelet, the claim's status and an event report it.
package struct ClaimError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error. The raw value is the reason of events, and of conditions in the claim's status.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        case notAllocated = "ClaimNotAllocated"
        /// The claim requests something that this node cannot provide.
        case invalid = "ClaimInvalid"
        /// Another claim has a device or a name that this claim needs.
        case conflict = "DeviceInUse"
        /// The claim, or the pod that uses it, cannot be read from the API server.
        case unreadable = "ClaimUnreadable"
        /// The cluster has another object of the same name.
        case replaced = "ClaimReplaced"
        /// The claim is being released.
        case releasing = "ClaimReleasing"
        /// Another call or instance handles the claim, or the call reached its time-out.
        case busy = "ClaimBusy"
        /// The journal's files cannot be written.
        case journal = "JournalUnwritable"
        /// `nearside-nri` does not answer.
        case injectorUnreachable = "NetworkPluginUnreachable"
        /// `nearside-nri` refuses the request.
        case injectorRefused = "NetworkPluginRefused"
        /// `nearside-nri` does not support a feature of the plan.
        case injectorOutdated = "NetworkPluginOutdated"
    }

    package var code: Code
    /// `claim default/train`
    package var object: String
    /// `read`, `lock`, ...; nil if the cause is sufficient.
    package var step: String?
    package var cause: String
    /// Remedy; nil if it follows from the cause.
    package var advice: String?
    /// The reported problems of the claim, for ``Code/invalid`` and ``Code/conflict``.
    package var problems: [PlanProblem] = []

    package init(_ code: Code, object: String, step: String? = nil, _ cause: String, advice: String? = nil) {
        self.code = code
        self.object = object
        self.step = step
        self.cause = ProblemText.cut(cause, to: Self.causeBytes)
        self.advice = advice
    }

    package init(_ code: Code, _ claim: ClaimIdentity, step: String? = nil, _ cause: String, advice: String? = nil) {
        self.init(code, object: "claim \(claim)", step: step, cause, advice: advice)
    }

    /// Makes an error with all problems of a claim, within the limits of ``ProblemText``.
    init(_ code: Code, _ claim: ClaimIdentity, _ problems: [PlanProblem], omitted: Int) {
        self.init(code, claim, ProblemText.joined(problems.map(\.description), omitted: omitted))
        self.problems = problems
    }

    /// Returns the error with another advice.
    package func advising(_ advice: String) -> ClaimError {
        var error = self
        error.advice = advice
        return error
    }

    private static let causeBytes = ProblemText.bytes + ProblemText.problemBytes

    package var description: String {
        [object, step, cause].compactMap { $0 }.joined(separator: ": ") + (advice.map { "; \($0)" } ?? "")
    }
}
