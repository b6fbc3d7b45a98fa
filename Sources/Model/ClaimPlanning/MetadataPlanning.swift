// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Hardware
import JournalModel
import NetworkModel
package import ResourceAPI

extension ContainerEditsPlanner {
    /// Files of KEP-5304, by request: the devices and their names in the pod. Everything is known before the pod starts,
    /// so that the file never changes.
    func metadata(_ planned: [DevicePlan]) -> [String: DeviceMetadata] {
        guard input.options.tellsDevices else { return [:] }
        var requests: [String: DeviceMetadata.Request] = [:]
        for (plan, member) in zip(planned, members) {
            let base = member.result.baseRequest
            requests[base, default: .init(name: plan.request, devices: [])].devices.append(
                DeviceMetadata.Device(
                    driver: input.driver, pool: plan.pool, name: plan.device, attributes: input.attributes[plan.device],
                    networkData: plan.interface.map { networkData($0, member.device) }))
        }
        return requests.mapValues { request in
            DeviceMetadata(
                name: claim.name, namespace: claim.namespace, uid: claim.uid, podClaimName: podClaimName, requests: [request])
        }
    }

    private func networkData(_ plan: InterfacePlan, _ device: Device) -> NetworkDeviceData {
        let netdev = device.netdevs.first
        let addresses = plan.addresses ?? (plan.child == nil ? netdev?.addresses ?? [] : [])
        // The kernel chooses the address of an interface that is created for the pod, unless it is configured.
        return NetworkDeviceData(
            interfaceName: plan.name, ips: addresses.isEmpty ? nil : addresses.map(\.description),
            hardwareAddress: (plan.hardwareAddress ?? (plan.child == nil ? netdev?.mac : nil))?.description)
    }
}

extension DeviceMetadata {
    /// The text of the file: the object in one or more versions, each on its own line.
    package func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
}
