// SPDX-License-Identifier: Apache-2.0

/// The reason why a NIC without an interface is not allocated: a pod would start without the interface.
package enum MissingInterface: Hashable, Sendable {
    /// An interface of this name existed before.
    case lost(String)
    /// The file that records former interfaces is damaged.
    case unknown(file: String)

    /// The condition of the device, for the node's health.
    package var condition: String {
        switch self {
        case .lost(let name): "the device has lost its interface \(name)"
        case .unknown(let file): "the device has no interface, and \(file), which records former interfaces, is damaged"
        }
    }

    /// The refusal of a claim for the device, with the remedy.
    var refusal: String {
        switch self {
        case .lost(let name):
            "has lost its interface \(name); restore the interface, or, if it is gone permanently, remove machine.json from the journal's folder and restart nearside-node"
        case .unknown(let file):
            "has no interface, and \(file), which records former interfaces, is damaged; restore the interface, or, if there never was one, remove the file and restart nearside-node"
        }
    }
}
