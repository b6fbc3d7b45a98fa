// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import JournalModel
import NetworkModel
import ResourceAPI

/// This driver's part of a claim's status (KEP-4817). Pure.
struct ClaimStatus: Hashable, Sendable {
    var claim: ClaimIdentity
    var devices: [AllocatedDeviceStatus]

    /// The limit of a message in characters; the API allows far more (meta/v1 Condition).
    private static let messageLimit = 1000
    /// The API's limit of addresses (resource.k8s.io, NetworkDeviceData).
    private static let addressLimit = 16

    /// Describes a prepared claim.
    ///
    /// - Parameters:
    ///   - state: nil while no device of the claim is in a pod.
    ///   - time: the current time, RFC 3339. Unchanged conditions keep their time in `before`.
    init(_ plan: ClaimPlan, _ state: ClaimState?, driver: String, time: String, before: ClaimStatus?) {
        claim = plan.claim
        devices = []
        // A pair or set is one device in the cluster: the states of its members are combined.
        var names: [(pool: String, device: String, shareID: String?)] = []
        for device in plan.devices {
            let name = (device.pool, device.group ?? device.device, device.shareID)
            if !names.contains(where: { $0 == name }) { names.append(name) }
        }
        for name in names {
            let members = plan.devices.filter { ($0.pool, $0.group ?? $0.device, $0.shareID) == name }
            let attachments = (state?.attachments ?? []).filter { attachment in members.contains { $0.device == attachment.device } }
            var entry = AllocatedDeviceStatus(driver: driver, pool: name.pool, device: name.device, shareID: name.shareID)
            let old = before?.devices.first { ($0.pool, $0.device, $0.shareID) == name }
            entry.conditions = [
                Self.condition(members, attachments, time: time, before: old?.conditions?.first { $0.type == "Ready" })
            ]
            // The API has one interface for each device: the first one is reported.
            if let first = attachments.first(where: { $0.phase == .attached && $0.podName != nil }) {
                let addresses = first.addresses.map(\.description)
                entry.networkData = NetworkDeviceData(
                    interfaceName: first.podName, ips: addresses.isEmpty ? nil : Array(addresses.prefix(Self.addressLimit)),
                    hardwareAddress: first.hardwareAddress?.description)
            }
            devices.append(entry)
        }
    }

    /// Describes a claim that could not be prepared.
    init(
        refused claim: ClaimIdentity, _ allocated: [AllocatedDevice], _ error: ClaimError, driver: String, time: String,
        before: ClaimStatus?
    ) {
        self.claim = claim
        devices = allocated.filter { $0.driver == driver }.map { device in
            var entry = AllocatedDeviceStatus(driver: driver, pool: device.pool, device: device.device, shareID: device.shareID)
            let old = before?.devices.first { $0.device == device.device && $0.pool == device.pool }?.conditions?.first
            entry.conditions = [Self.condition("False", error.code.rawValue, error.description, time: time, before: old)]
            return entry
        }
    }

    /// Describes a released claim, which lists no devices.
    init(released claim: ClaimIdentity) {
        self.claim = claim
        devices = []
    }

    private static func condition(
        _ members: [DevicePlan], _ attachments: [Attachment], time: String, before: Condition?
    ) -> Condition {
        let problems = attachments.compactMap(\.problem)
        let attached = Set(attachments.filter { $0.phase == .attached }.map(\.device))
        let missing = members.filter { $0.interface != nil && !attached.contains($0.device) }
        if !problems.isEmpty { return condition("False", "NotRestored", problems.joined(separator: "; "), time: time, before: before) }
        if missing.isEmpty, let message = attachments.awaitedLeases {
            return condition("False", "AwaitsLease", message, time: time, before: before)
        }
        if missing.isEmpty {
            let names = attachments.compactMap(\.podName)
            return condition(
                "True", "Ready",
                names.isEmpty ? "the device nodes are available to the pod" : "the pod has the device as \(names.joined(separator: ", "))",
                time: time, before: before)
        }
        return condition("False", "Prepared", "waiting for the pod's network namespace", time: time, before: before)
    }

    private static func condition(_ status: String, _ reason: String, _ message: String, time: String, before: Condition?) -> Condition {
        let since = before.flatMap { $0.status == status ? $0.lastTransitionTime : nil } ?? time
        return Condition(
            type: "Ready", status: status, reason: reason, message: String(message.prefix(messageLimit)), lastTransitionTime: since)
    }
}
