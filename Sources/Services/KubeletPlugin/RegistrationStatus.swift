// SPDX-License-Identifier: Apache-2.0

/// The kubelet's registration of this instance.
package enum RegistrationStatus: Hashable, Sendable {
    /// It has not asked for it yet.
    case awaited
    case registered
    /// It refused it, or the registration socket was lost; the text says which.
    case failed(String)
}
