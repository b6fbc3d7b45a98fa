// SPDX-License-Identifier: Apache-2.0

import Netlink

/// A request to the kernel that is one step of a device's set-up or restore.
struct Step {
    /// The device's name in the plan.
    var device: String
    /// The name of what is changed, for errors.
    var object: String
    /// The step in words: "set an address".
    var name: String
    var request: NetlinkRequest
    /// errno values that are no failure.
    var harmless: [Int32] = []
    /// True when every refusal is harmless.
    var isOptional = false
    /// The XDP program that it detaches: the kernel detaches one that a link holds only by the link.
    var program: UInt32?

    /// A refusal of the step.
    struct Failure {
        var step: Step
        var code: Int32
        var error: PodNetworkError
    }
}

extension NetlinkSocket {
    /// Sends the requests of all steps together, in their order; a step that fails does not keep the next ones from being done.
    ///
    /// - Returns: the steps that have failed, without those whose failure is harmless.
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
