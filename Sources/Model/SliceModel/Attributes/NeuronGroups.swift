// SPDX-License-Identifier: Apache-2.0

import Hardware
import Primitives

/// The groups of Neuron devices that AWS's own driver (`neuron.aws.com`) publishes as
/// `resource.aws.com/devicegroup{1,4,8,16}_id`: EFA NICs with the same ids let a constraint match Trainium devices with the NICs that
/// AWS assigned to them, also across sockets.
///
/// For each instance type, AWS has a table from the index of a Neuron device to its EFA. A group is 1, 4, 8 or 16 consecutive indices.
/// Its id is the EFA's address for groups of one, and otherwise the first 16 hexadecimal digits of the SHA-256 of the distinct
/// addresses of its EFAs, sorted and joined by commas.
struct NeuronGroups {
    private let addresses: [PCIAddress]

    /// Bus and device number of the EFA of each Neuron device, by index; all have domain 0 and function 0.
    private static let tables: [String: String] = [
        "trn1": "10:1a 10:1a a0:1a a0:1a 20:19 20:19 90:19 90:19 20:1a 20:1a 90:1a 90:1a 10:19 10:19 a0:19 a0:19",
        "trn1n": "10:17 10:1a a0:17 a0:1a 20:19 20:18 90:19 90:18 20:17 20:1a 90:17 90:1a 10:19 10:18 a0:19 a0:18",
        "trn2": "c9:00 b4:00 b3:00 ca:00 6c:00 57:00 56:00 6d:00 98:00 83:00 82:00 99:00 f5:00 e0:00 df:00 f6:00",
        "trn3": "be:00 a9:00 a8:00 bf:00 61:00 4c:00 4b:00 62:00 8d:00 78:00 77:00 8e:00 ea:00 d5:00 d4:00 eb:00",
        "trn3-dev": "a9:00 a8:00 bf:00 be:00 d5:00 d4:00 eb:00 ea:00 4c:00 4b:00 62:00 61:00 78:00 77:00 8e:00 8d:00",
    ]
    /// Name of the table for each family of instances.
    private static let families: [String: String] = [
        "trn1": "trn1", "trn1n": "trn1n", "trn2": "trn2", "trn2e": "trn2", "trn2u": "trn2", "trn3": "trn3", "trn3p": "trn3",
        "trn3pd98": "trn3", "trn3s": "trn3", "trn3-dev0": "trn3-dev", "trn3-dev1": "trn3-dev",
    ]

    /// Returns nil for a machine without a table. The instance type is the machine's product name, `trn2.48xlarge`.
    init?(_ machine: Machine) {
        guard let family = machine.name?.split(separator: ".").first, let name = Self.families[String(family)],
            let table = Self.tables[name]
        else { return nil }
        let addresses = table.split(separator: " ").compactMap { PCIAddress(parsing: "0000:\($0).0") }
        // Instances of another size of the family have none of the table's EFAs.
        guard addresses.contains(where: { machine[$0] != nil }) else { return nil }
        self.addresses = addresses
    }

    /// Returns the ids of the groups of a device, by attribute: of an EFA by its address, of a Neuron device by its index.
    func ids(of device: Device) -> [String: String] {
        guard let function = device.function else { return [:] }
        let index: Int?
        if device.family == .neuron {
            index = function.accelerator?.index.flatMap { addresses.indices.contains($0) ? $0 : nil }
        } else {
            index = addresses.firstIndex(of: function.address)
        }
        guard let index else { return [:] }
        var ids: [String: String] = [:]
        for size in [1, 4, 8, 16] {
            let start = index / size * size
            let members = Set(addresses[start..<min(start + size, addresses.count)]).map(\.description).sorted()
            ids["resource.aws.com/devicegroup\(size)_id"] = size == 1 ? members[0] : Self.digest(members.joined(separator: ","))
        }
        return ids
    }

    private static func digest(_ text: String) -> String {
        Hex.text(SHA256.hash(Array(text.utf8)).prefix(8))
    }
}
