// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Publishing
package import ResourceAPI
package import Topology

/// The common form of all JSON that the programs print.
package enum JSONOutput {
    package static func text(_ document: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document), as: UTF8.self) + "\n"
    }
}

/// `nearside slices`: what a node of this kind would publish.
package enum SlicesDocument {
    package static func list(
        _ topology: MachineTopology, driver: String, node: String, owned: Set<String>, virtualNICs: [String]
    ) -> ObjectList<ResourceSlice> {
        let policy = PublishingPolicy(driver: driver, owned: owned, virtualNICs: virtualNICs)
        let plan = SlicePlan(
            wished: SliceDevices(topology, policy).withPairs, stored: [],
            owner: SliceOwner(driver: driver, node: node, nodeUID: ""))
        let slices = plan.creations.map { slice in
            var slice = slice
            // The owner is the node object, which only a cluster has.
            slice.metadata.ownerReferences = nil
            return slice
        }
        return ObjectList(apiVersion: "v1", kind: "List", items: slices)
    }

    package static func text(_ list: ObjectList<ResourceSlice>) -> String {
        var lines = ""
        for slice in list.items {
            let devices = slice.spec.devices ?? []
            let what = slice.spec.sharedCounters.map { "\($0.count) counter sets" } ?? "\(devices.count) devices"
            lines += "\(slice.metadata.generateName ?? "")*  pool \(slice.spec.pool.name)  \(what)\n"
            for set in slice.spec.sharedCounters ?? [] { lines += "  \(set.name): \(set.counters.keys.sorted().joined(separator: " "))\n" }
            for device in devices {
                lines += "  \(device.name)\n"
                for used in device.consumesCounters ?? [] {
                    lines += "    draws on \(used.counterSet): \(used.counters.keys.sorted().joined(separator: " "))\n"
                }
                for (name, value) in (device.attributes ?? [:]).sorted(by: { $0.key < $1.key }) {
                    lines += "    \(name)=\(value.text)\n"
                }
            }
        }
        return lines
    }
}

extension DeviceAttribute {
    fileprivate var text: String {
        switch self {
        case .int(let value): String(value)
        case .bool(let value): String(value)
        case .string(let value), .version(let value): value
        }
    }
}
