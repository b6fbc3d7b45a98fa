// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import NetworkModel

extension PodNetwork {
    /// Builds the requests of a plan: reads the devices on the host, and checks that the pod may have them. Changes nothing.
    ///
    /// - Returns: the devices with an interface, RDMA device or virtual function to move or set up, in the order of the plan.
    package func requests(for plan: ClaimPlan) throws(PodNetworkError) -> [AttachRequest] {
        let movesRDMA = plan.devices.contains { $0.rdmaDevice != nil } ? try host.movesRDMA() : false
        let taken = plan.devices.compactMap { $0.interface.flatMap { $0.child == nil ? $0.hostName : nil } }
        let parents = plan.devices.compactMap { $0.interface.flatMap { $0.child != nil ? $0.hostName : nil } }
        let records = try host.records(taken)
        let byName = Dictionary(
            try (records.interfaces + host.parents(parents)).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        try host.checkUse(
            plan.devices.map { device in (plan: device, record: device.interface.flatMap { byName[$0.hostName] }) }, movesRDMA: movesRDMA,
            records.routing)
        var requests: [AttachRequest] = []
        for device in plan.devices {
            let rdma = movesRDMA ? device.rdmaDevice : nil
            guard device.interface != nil || rdma != nil else { continue }
            var request = AttachRequest(
                device: device.device, plan: device.interface, record: device.interface.flatMap { byName[$0.hostName] }, rdmaDevice: rdma)
            if let function = device.virtualFunction {
                try host.check(function, isDeviceOf: request.record)
                request.virtualFunction = (function, try host.record(function))
            }
            requests.append(request)
        }
        return requests
    }

    /// Reads interfaces of the host.
    ///
    /// - Parameter isTaken: true if the interfaces move into the pod; false if the pod's interfaces are stacked on them.
    package func records(_ names: [String], isTaken: Bool = true) throws(PodNetworkError) -> [HostRecord] {
        try isTaken ? host.records(names).interfaces : host.parents(names)
    }

    /// Reads the settings of a virtual function that belong to its physical function.
    package func record(_ plan: VirtualFunctionPlan) throws(PodNetworkError) -> VirtualFunctionRecord { try host.record(plan) }

    /// True if the pod sees an RDMA device only after a move (the kernel's exclusive mode).
    package func movesRDMA() throws(PodNetworkError) -> Bool { try host.movesRDMA() }

    /// The RDMA devices whose nodes a plan gives to containers, with their open contexts. Empty in the exclusive mode, in which the
    /// kernel ends all contexts of a device that moves.
    package func sharedRDMADevices(of plan: ClaimPlan) throws(PodNetworkError) -> [SharedRDMADevice] {
        try host.sharedRDMADevices(of: plan)
    }
}
