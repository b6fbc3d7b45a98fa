// SPDX-License-Identifier: Apache-2.0

import Glibc
package import JournalModel
import Linux
import Netlink
import NetworkModel

extension HostNetwork {
    /// Checks that a virtual function is the device of an interface, so that a plan configures no function of another pod.
    ///
    /// - Parameter record: the interface on the host; nil for a device without an interface.
    func check(_ plan: VirtualFunctionPlan, isDeviceOf record: HostRecord?) throws(PodNetworkError) {
        let step = "set up virtual function \(plan.number)"
        guard let record else {
            throw PodNetworkError(.missing, plan.parent, step, "the device has no interface by which it can be identified")
        }
        // Kernels before 5.14 do not report the device of an interface.
        guard let parent = try virtualFunctions(of: plan.parent).link.parentDevice, let own = record.parentDevice,
            !plan.isFunction(own, of: parent, sysfs: sysfs)
        else { return }
        throw PodNetworkError(.otherDevice, plan.parent, step, "the function is not device \(own) of interface \(record.name)")
    }

    /// Reads the settings of a virtual function that belong to its physical function.
    func record(_ plan: VirtualFunctionPlan) throws(PodNetworkError) -> VirtualFunctionRecord {
        let (_, functions) = try virtualFunctions(of: plan.parent)
        guard var function = functions.first(where: { $0.number == plan.number }) else {
            throw PodNetworkError(.missing, plan.parent, "read virtual function \(plan.number)", "the driver does not report it")
        }
        // Only a pod with the physical function can change these settings.
        (function.settings.vlanPriority, function.settings.linkState) = (nil, nil)
        return VirtualFunctionRecord(parent: plan.parent, number: plan.number, settings: function)
    }

    /// Applies the plan's settings through the physical function.
    func configure(_ plan: VirtualFunctionPlan, over record: VirtualFunctionRecord) throws(PodNetworkError) {
        let index = try virtualFunctions(of: plan.parent).link.index
        var (settings, now) = (plan.settings, record.settings.settings)
        if settings.minimalRate != nil || settings.maximalRate != nil {
            settings.minimalRate = settings.minimalRate ?? now.minimalRate
            settings.maximalRate = settings.maximalRate ?? now.maximalRate
        }
        try execute(
            NetlinkRequest.set(settings, of: plan.number, ofParent: index, named: plan.parent), plan.parent,
            "set up virtual function \(plan.number)")
    }

    /// Restores the settings that differ from the record.
    func restore(_ record: VirtualFunctionRecord) throws(PodNetworkError) {
        let (link, functions) = try virtualFunctions(of: record.parent)
        guard let now = functions.first(where: { $0.number == record.number }) else {
            throw PodNetworkError(
                .missing, record.parent, "restore virtual function \(record.number)", "the virtual function does not exist")
        }
        try execute(
            now.changes(to: record.settings, ofParent: link.index, named: record.parent), record.parent,
            "restore virtual function \(record.number)")
    }

    /// The virtual functions of an interface that moves into a pod, which can then change their settings; nil if it has none.
    func functions(of record: HostRecord) throws(PodNetworkError) -> [VirtualFunction]? {
        guard let device = record.parentDevice, record.kind == nil, !device.contains("/"), device != "..",
            let count = try? Files.readText("\(sysfs)/bus/pci/devices/\(device)/sriov_numvfs"), count.first?.isNumber == true,
            !count.hasPrefix("0")
        else { return nil }
        let functions = try virtualFunctions(of: record.name).1
        return functions.isEmpty ? nil : functions
    }

    /// Restores the settings of an interface's virtual functions that differ from its record.
    func restoreFunctions(of record: HostRecord) throws(PodNetworkError) {
        guard let before = record.functions else { return }
        let (link, functions) = try virtualFunctions(of: record.name)
        try execute(
            before.flatMap { settings in
                functions.first { $0.number == settings.number }?.changes(to: settings, ofParent: link.index, named: record.name) ?? []
            }, record.name, "restore the virtual functions")
    }

    private func execute(_ requests: [NetlinkRequest], _ parent: String, _ step: String) throws(PodNetworkError) {
        let failures = try Self.step(parent, step) { () throws(NetlinkError) in try socket.execute(all: requests) }
        if let failure = failures.first { throw PodNetworkError(.refused, parent, step, failure.error) }
    }

    private func virtualFunctions(of parent: String) throws(PodNetworkError) -> (link: Link, [VirtualFunction]) {
        let message =
            try Self.step(parent, "read the virtual functions") { () throws(NetlinkError) in
                try socket.get(all: [.virtualFunctions(of: parent)], absent: [ENODEV])
            }.first ?? nil
        guard let message, let link = Link(message) else {
            throw PodNetworkError(.missing, parent, "read the virtual functions", "the physical function's interface is not on the host")
        }
        return (link, VirtualFunction.list(message, addressLength: link.address?.bytes.count ?? 6))
    }
}

extension VirtualFunctionPlan {
    /// True if the physical function's link of this number (sysfs-bus-pci, virtfnN) points to the device.
    package func isFunction(_ device: String, of physical: String, sysfs: String) -> Bool {
        Files.linkTarget("\(sysfs)/bus/pci/devices/\(physical)/virtfn\(number)")?.split(separator: "/").last.map(String.init) == device
    }
}
