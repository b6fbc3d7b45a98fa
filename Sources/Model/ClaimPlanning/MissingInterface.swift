// SPDX-License-Identifier: Apache-2.0

/// The reason why a NIC without an interface is not allocated: a pod would start without it.
package enum MissingInterface: Hashable, Sendable {
    /// The interface of this name was there before.
    case lost(String)
    /// The file that would say whether there was one is damaged.
    case unknown(file: String)

    /// The condition of the device, for people who look at the node.
    package var condition: String {
        switch self {
        case .lost(let name): "its interface \(name) is not on the host any more"
        case .unknown(let file): "it has no interface, and \(file), which says whether it had one, is damaged"
        }
    }

    /// The refusal of a claim for the device, with the way out.
    var refusal: String {
        switch self {
        case .lost(let name):
            "had interface \(name), which is not on the host now; put it back, or, if it is gone for good, remove machine.json from the journal's folder and restart nearside-node"
        case .unknown(let file):
            "has no interface, and \(file), which says whether it had one, is damaged; put the interface back, or, if it never had one, remove the file and restart nearside-node"
        }
    }
}
