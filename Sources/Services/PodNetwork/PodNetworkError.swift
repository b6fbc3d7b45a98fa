// SPDX-License-Identifier: Apache-2.0

/// A device that could not be attached, configured or restored.
package struct PodNetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the cause.
    package enum Code: String, Hashable, Sendable {
        /// The kernel or a driver refused the step.
        case refused
        /// An interface, RDMA device or virtual function is missing where the step needs it.
        case missing
        /// Another device has the name or place of the planned or recorded one.
        case otherDevice
        /// The host uses the device, or a device that depends on it.
        case inUse
        /// A move would lose settings of the host, or the host has made the interface a port of another one.
        case notMovable
        /// An interface of another network namespace is stacked on the interface.
        case stacked
        /// A process has the RDMA device open.
        case open
        /// A setting differs from its planned or recorded value.
        case notSet
        /// The step is in progress; nothing has failed.
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

    /// True if nothing has failed and the step completes by itself.
    package var isPending: Bool { code == .pending }

    package var description: String { "\(object): \(step): \(cause)" }
}

/// The first problem of each device. A pending problem is replaced by any other.
struct DeviceProblems {
    private(set) var byDevice: [String: PodNetworkError] = [:]

    mutating func add(_ error: PodNetworkError, to device: String) {
        if byDevice[device]?.isPending != false { byDevice[device] = error }
    }

    /// Adds the cause to the device's problem if the step is the same; otherwise adds the problem.
    mutating func join(_ error: PodNetworkError, to device: String) {
        if byDevice[device]?.step == error.step {
            byDevice[device]?.cause += "; " + error.cause
        } else {
            add(error, to: device)
        }
    }
}
