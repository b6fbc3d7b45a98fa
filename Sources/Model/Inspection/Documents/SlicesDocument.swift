// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import ResourceAPI
package import SliceModel
package import Topology

/// The output of `nearside slices`: the slices that a node with this machine would publish.
package enum SlicesDocument {
    /// Returns the slices of a first publication, without the owner, which only a cluster has.
    package static func list(
        _ topology: MachineTopology, _ policy: PublishingPolicy, node: String, names: PCINameTable = PCINameTable(),
        lacking: Set<ClusterFeature> = []
    ) -> ObjectList<ResourceSlice> {
        let devices = SliceDevices(topology, policy, health: HealthReport(topology, policy), names: names)
        let plan = SlicePlan(
            desired: devices.contents(lacking: lacking), stored: [],
            owner: SliceOwner(driver: policy.driver, node: node, nodeUID: ""))
        let slices = plan.creations.map { slice in
            var slice = slice
            // The owner is the node object.
            slice.metadata.ownerReferences = nil
            return slice
        }
        return ObjectList(apiVersion: "v1", kind: "List", items: slices)
    }

    /// Formats slices for a terminal.
    package static func text(_ list: ObjectList<ResourceSlice>) -> String {
        var lines = ""
        for slice in list.items {
            let devices = slice.spec.devices ?? []
            let what = slice.spec.sharedCounters.map { "\($0.count) counter sets" } ?? "\(devices.count) devices"
            lines += "\(slice.metadata.generateName ?? "")*  pool \(slice.spec.pool.name)  \(what)\n"
            for set in slice.spec.sharedCounters ?? [] { lines += "  \(set.name): \(set.counters.keys.sorted().joined(separator: " "))\n" }
            for device in devices {
                lines += "  \(device.name)\n"
                for taint in device.taints ?? [] {
                    lines += "    taint \(taint.key)\(taint.value.map { "=\($0)" } ?? ""):\(taint.effect.rawValue)\n"
                }
                for (name, capacity) in (device.capacity ?? [:]).sorted(by: { $0.key < $1.key }) {
                    lines +=
                        "    capacity \(name)=\(capacity.value)\(device.allowMultipleAllocations == true ? ", for several claims" : "")\n"
                }
                for used in device.consumesCounters ?? [] {
                    lines += "    consumes of \(used.counterSet): \(used.counters.keys.sorted().joined(separator: " "))\n"
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
        case .other(let fields): fields.keys.sorted().joined(separator: " ")
        }
    }
}
