// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// The rules of manifests/node-restriction.yaml and of the role for one node's token, implemented independently. Pure.
package struct AdmissionRules: Hashable, Sendable {
    /// The driver, and the node of the token.
    var driver: String
    var node: String
    /// True if the role of manifests/optional/pod-groups.yaml exists.
    var readsPods: Bool

    package init(driver: String, node: String, readsPods: Bool = false) {
        self.readsPods = readsPods
        self.driver = driver
        self.node = node
    }

    /// Judges a slice that is created, replaced or deleted.
    func judge(slice: JSONValue) throws(ObjectStore.Refusal) {
        let spec = slice["spec"]
        guard (spec?["driver"]).text == driver else { throw Self.denied("nearside writes only slices of dra.nearside") }
        guard (spec?["nodeName"]).text == node else { throw Self.denied("nearside writes only the slices of its own node") }
        guard (spec?["pool"]?["name"]).text == node else { throw Self.denied("nearside writes only the pool of its own node") }
    }

    /// Judges a written claim status.
    func judge(claim old: JSONValue, becomes new: JSONValue) throws(ObjectStore.Refusal) {
        for field in ["allocation", "reservedFor"] where old["status"]?[field] != new["status"]?[field] {
            throw Self.denied("nearside does not change the \(field) of claims")
        }
        guard foreign(old) == foreign(new) else {
            throw Self.denied("nearside changes only what a claim's status says of devices of its own node")
        }
    }

    /// Entries that belong to other drivers, or to other nodes.
    private func foreign(_ claim: JSONValue) -> [JSONValue] {
        (claim["status"]?["devices"]).elements.filter { ($0["driver"]).text != driver || ($0["pool"]).text != node }
    }

    private static func denied(_ message: String) -> ObjectStore.Refusal {
        ObjectStore.Refusal(code: 403, reason: "Forbidden", message: "ValidatingAdmissionPolicy denied request: \(message)")
    }
}
