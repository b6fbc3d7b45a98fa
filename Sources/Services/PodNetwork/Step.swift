// SPDX-License-Identifier: Apache-2.0

import Netlink

/// A request to the kernel: one step of a device's set-up or restore.
struct Step {
    /// The device's name in the plan.
    var device: String
    /// The name of the changed object, for errors.
    var object: String
    /// The step as words in errors: "set an address".
    var name: String
    var request: NetlinkRequest
    /// errno values that do not count as failures.
    var harmless: [Int32] = []
    /// True if no refusal counts as a failure.
    var isOptional = false
    /// The XDP program that the step detaches: a program attached by a BPF link can be detached only by that link.
    var program: UInt32?

    /// A refusal of the step.
    struct Failure {
        var step: Step
        var code: Int32
        var error: PodNetworkError
    }
}

extension NetlinkSocket {
    /// Sends the requests of all steps together, in their order. A failed step does not stop the next steps.
    ///
    /// - Returns: the failed steps, without harmless failures.
    func execute(_ steps: [Step]) throws(PodNetworkError) -> [Step.Failure] {
        guard let first = steps.first else { return [] }
        let failures = try HostNetwork.step(first.object, first.name) { () throws(NetlinkError) in
            try execute(all: steps.map(\.request))
        }
        return failures.compactMap { index, error in
            let step = steps[index]
            guard !step.isOptional, !step.harmless.contains(error.code) else { return nil }
            return Step.Failure(step: step, code: error.code, error: PodNetworkError(.refused, step.object, step.name, error))
        }
    }
}
