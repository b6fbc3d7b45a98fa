// SPDX-License-Identifier: Apache-2.0

/// A device that could not be attached, set up or restored.
package struct PodNetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sort of cause.
    package enum Code: String, Hashable, Sendable {
        /// The kernel or a driver has refused the step.
        case refused
        /// An interface, RDMA device or virtual function is not where the step needs it.
        case missing
        /// Another device than the planned or recorded one has its place.
        case otherDevice
        /// The host itself uses the device, or one that depends on it.
        case inUse
        /// A move would lose what the host has set up, or the host has made it part of another interface.
        case notMovable
        /// An interface of another network namespace is stacked on it.
        case stacked
        /// A process has the RDMA device open.
        case open
        /// A setting does not have the planned or recorded value.
        case notSet
        /// The step goes on by itself; nothing has failed.
        case pending
        /// The journal could not be written.
        case journal
    }

    package var code: Code
    /// The name of the interface, RDMA device or physical function; `host` or `pod` for a whole network namespace.
    package var object: String
    package var step: String
    package var cause: String

    package init(_ code: Code, _ object: String, _ step: String, _ cause: some CustomStringConvertible) {
        self.code = code
        self.object = object
        self.step = step
        self.cause = "\(cause)"
    }

    /// True when nothing has failed and the step completes by itself.
    package var isPending: Bool { code == .pending }

    package var description: String { "\(object): \(step): \(cause)" }
}

/// The first problem of each device; one that is pending gives way to any other.
struct DeviceProblems {
    private(set) var byDevice: [String: PodNetworkError] = [:]

    mutating func add(_ error: PodNetworkError, to device: String) {
        if byDevice[device]?.isPending != false { byDevice[device] = error }
    }

    /// Adds a cause to the device's problem with the same step, if it has one, or the problem.
    mutating func join(_ error: PodNetworkError, to device: String) {
        if byDevice[device]?.step == error.step {
            byDevice[device]?.cause += "; " + error.cause
        } else {
            add(error, to: device)
        }
    }
}
