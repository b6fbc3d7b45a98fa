// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import NetworkModel

/// The key of a lease. Pods that share a claim each have an interface of the device in their own namespace, and an interface can request
/// addresses of both families.
package struct LeaseKey: Hashable, Sendable {
    package var claim: String
    package var device: String
    package var namespace: FileIdentity
    package var family: Lease.Family

    package init(claim: String, device: String, namespace: FileIdentity, family: Lease.Family) {
        self.claim = claim
        self.device = device
        self.namespace = namespace
        self.family = family
    }
}
