// SPDX-License-Identifier: Apache-2.0

import KubeletPlugin
import ResourceAPI
import SliceModel

extension HealthReport {
    /// The health of published devices, and of unpublished devices that claims have.
    ///
    /// - Parameter held: names of the devices that claims have, including members of pairs.
    func conditions(_ slices: SliceDevices, held: Set<String>, pool: String) -> [DeviceHealth] {
        var conditions: [DeviceHealth] = []
        var named: Set<String> = []
        func add(_ name: String, _ texts: [String]) {
            guard named.insert(name).inserted else { return }
            conditions.append(DeviceHealth(pool: pool, device: name, isHealthy: texts.isEmpty, message: texts.joined(separator: "; ")))
        }
        for device in slices.whole.devices {
            let members = slices.pairs?.members[device.name] ?? []
            let own = (findings[device.name] ?? []).filter { $0.condition != .narrowLink }.map(\.message)
            let others = members.flatMap { member in
                (findings[member] ?? []).filter { $0.condition != .narrowLink }.map { "\(member): \($0.message)" }
            }
            add(device.name, own + others)
        }
        for name in held.sorted() { add(name, ["this device, or a part of it, no longer exists"]) }
        return conditions
    }
}
