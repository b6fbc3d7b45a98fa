// SPDX-License-Identifier: Apache-2.0

/// The kubelet's registration of this instance.
package enum RegistrationStatus: Hashable, Sendable {
    /// The kubelet has not queried the driver yet.
    case awaited
    case registered
    /// The kubelet refused the driver, or the registration socket was lost; the text is the reason.
    case failed(String)
}
