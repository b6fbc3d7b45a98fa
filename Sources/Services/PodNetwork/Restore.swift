// SPDX-License-Identifier: Apache-2.0

import Glibc
package import JournalModel
package import Linux
import Netlink
package import NetworkModel

extension PodNetwork {
    /// A device to bring back: all that is known of it.
    package struct RestoreRequest: Sendable {
        package var device: String
        /// Its interface's name and number in the pod; without a number the move may have broken off.
        package var podName: String?
        package var podIndex: Int32?
        /// The interface as it was; nil for one that was made for the pod.
        package var record: HostRecord?
        /// The hardware address it has in the pod.
        package var hardwareAddress: HardwareAddress?
        package var rdmaDevice: String?
        /// One that did not move, as all namespaces see it.
        package var sharedRDMADevice: String?
        /// Contexts of it that the host had open before.
        package var rdmaContexts: [UInt32] = []
        package var vrf: String?
        /// The settings of a virtual function that its physical one sets, recorded before the pod.
        package var virtualFunction: VirtualFunctionRecord?

        package init(_ attachment: Attachment) {
            device = attachment.device
            podName = attachment.podName
            podIndex = attachment.podIndex
            record = attachment.host
            hardwareAddress = attachment.hardwareAddress
            rdmaDevice = attachment.rdmaDevice
            sharedRDMADevice = attachment.sharedRDMADevice
            rdmaContexts = attachment.rdmaContexts ?? []
            vrf = attachment.vrf
            virtualFunction = attachment.virtualFunction
        }

        init(_ order: AttachRequest) {
            device = order.device
            podName = order.plan?.name
            record = order.isChild ? nil : order.record
            hardwareAddress = order.plan?.hardwareAddress
            rdmaDevice = order.rdmaDevice
            vrf = order.plan?.vrf?.name
            virtualFunction = order.virtualFunction?.record
        }

        var label: String { record?.name ?? podName ?? rdmaDevice ?? device }
        /// Some drivers take an address that the physical function has set for the permanent one.
        var isVirtual: Bool { virtualFunction != nil }

        /// The interface among those of the pod, by its number, whatever the pod did to names and addresses. A pod can give the number
        /// of an interface that it has moved on to another one: hardware is known by its device, and others are looked at again on the
        /// host (``HostSysfs/inode(of:)``).
        func find(in links: [Link]) -> Link? {
            if let podIndex {
                return links.first { $0.index == podIndex && (record.map($0.isPossibly) ?? true) }
            }
            guard let record else {
                return links.first { $0.name == podName && $0.link != nil }
            }
            // It is under the pod's name, or still under its own if the move broke off between; or the kernel made another name of it.
            return links.first { $0.name == podName && isSame($0, record) } ?? links.first { $0.name == record.name && isSame($0, record) }
                ?? links.first { isSame($0, record) }
        }

        /// The interface among those of the host: by its name, or as whatever the kernel called it when the pod's namespace
        /// went away.
        func findOnHost(_ links: [Link]) -> Link? {
            guard let record else { return nil }
            return links.first { $0.name == record.name && isSame($0, record) } ?? links.first { $0.name == podName && isSame($0, record) }
                ?? links.first {
                    record.permanentAddress != nil && ($0.permanentAddress == record.permanentAddress || isVirtual) && isSame($0, record)
                }
        }

        /// True when it is the interface that was recorded, and not another one of its name.
        func isSame(_ link: Link, _ record: HostRecord) -> Bool {
            guard link.kind == record.kind else { return false }
            if isVirtual, let parent = record.parentDevice { return link.parentDevice == parent }
            if let permanent = record.permanentAddress {
                return link.permanentAddress == permanent && (record.parentDevice == nil || link.parentDevice == record.parentDevice)
            }
            return link.address == record.hardwareAddress || hardwareAddress.map { $0 == link.address } ?? false
        }
    }

    /// Brings devices back, wherever they are, and makes them what they were. Fine to do again.
    ///
    /// - Parameter namespace: the pod's, nil when it is gone: then the kernel has returned what is hardware to the host, under
    ///   the name it had in the pod.
    /// - Parameter waits: false to have errors that are pending (``PodNetworkError/isPending``) rather than to wait for long.
    /// - Returns: what did not come back, by device.
    package func restore(_ returns: [RestoreRequest], from namespace: NetworkNamespace?, waits: Bool = true) -> [(
        device: String, error: PodNetworkError
    )] {
        // As long as the physical function says which address a virtual one has, some drivers let it take no other; and what it
        // takes, some tell the physical one.
        _ = restoreFunctions(returns)
        var problems = restoreDevices(returns, from: namespace, waits: waits)
        for (device, error) in restoreFunctions(returns) where !problems.contains(where: { $0.device == device }) {
            problems.append((device, error))
        }
        return problems
    }

    /// Restores the settings of virtual functions by their physical ones. Returns the refusals, by device.
    private func restoreFunctions(_ returns: [RestoreRequest]) -> [(device: String, error: PodNetworkError)] {
        var refusals: [(device: String, error: PodNetworkError)] = []
        for entry in returns {
            guard let function = entry.virtualFunction else { continue }
            do throws(PodNetworkError) { try host.restore(function) } catch { refusals.append((entry.device, error)) }
        }
        return refusals
    }

    private func restoreDevices(_ returns: [RestoreRequest], from namespace: NetworkNamespace?, waits: Bool) -> [(
        device: String, error: PodNetworkError
    )] {
        var returns = returns
        var refusals: [String: PodNetworkError] = [:]
        var moved: Set<String> = []
        if let namespace {
            let all = returns
            do throws(PodNetworkError) {
                let taken = try inside(namespace) { (pod) throws(PodNetworkError) in try takeBack(all, pod) }
                refusals = taken.refusals
                moved = Set(taken.addresses.keys).subtracting(taken.refusals.keys)
                // The pod can have given it any address; by that it is known on the host.
                for index in returns.indices {
                    returns[index].hardwareAddress = taken.addresses[returns[index].device] ?? returns[index].hardwareAddress
                }
            } catch { for entry in returns { refusals[entry.device] = error } }
        }
        var problems: [(device: String, error: PodNetworkError)] = []
        do throws(PodNetworkError) {
            for (device, error) in try restoreOnHost(returns, moved: moved, waits: waits) {
                problems.append((device, refusals[device] ?? error))
            }
        } catch { problems = returns.map { ($0.device, error) } }
        for entry in returns where !problems.contains(where: { $0.device == entry.device }) {
            // Of one that moves the kernel cuts what is open.
            guard let device = entry.sharedRDMADevice else { continue }
            do throws(PodNetworkError) {
                if let error = try host.holders(ofRDMADevice: device, besides: entry.rdmaContexts) {
                    problems.append((entry.device, error))
                }
            } catch { problems.append((entry.device, error)) }
        }
        // What was made for the pod is not on the host; it is gone unless the kernel refused to delete it.
        for entry in returns where entry.record == nil && !problems.contains(where: { $0.device == entry.device }) {
            if let error = refusals[entry.device] { problems.append((entry.device, error)) }
        }
        return problems
    }

    private struct Taken {
        var refusals: [String: PodNetworkError]
        /// Hardware addresses that interfaces had in the pod: of all that were moved.
        var addresses: [String: HardwareAddress]
    }

    /// Inside the pod: RDMA devices first, so that they hear of their interfaces' moves; then all interfaces.
    private func takeBack(_ returns: [RestoreRequest], _ pod: NetlinkSocket) throws(PodNetworkError) -> Taken {
        var refusals: [String: PodNetworkError] = [:]
        var addresses: [String: HardwareAddress] = [:]
        if returns.contains(where: { $0.rdmaDevice != nil }) {
            let devices = try HostNetwork.step("*", "list the pod's RDMA devices") { () throws(NetlinkError) in
                try RDMANetlink().devices()
            }
            for entry in returns {
                // That in software cannot go before its interface, and does not survive it.
                guard let name = entry.rdmaDevice, entry.record?.softwareRDMA == nil, let index = devices[name] else { continue }
                do throws(NetlinkError) { try RDMANetlink().move(index, named: name, to: host.namespace.descriptor.raw) } catch {
                    refusals[entry.device] = PodNetworkError(name, "move back to the host", error)
                }
            }
        }
        guard returns.contains(where: { $0.podName != nil }) else { return Taken(refusals: refusals, addresses: [:]) }
        let present = try returns.links(pod)
        let links = present.links
        let items = returns.compactMap { entry in
            entry.record.flatMap { record in
                entry.find(in: links).map { InterfaceCleaner.Item(device: entry.device, record: record, link: $0) }
            }
        }
        // What is still there on the host is removed there, or reported.
        _ = InterfaceCleaner(socket: pod).clean(items, among: present)
        var moves: [(entry: RestoreRequest, request: NetlinkRequest)] = []
        var domains: Set<Int32> = []
        for entry in returns {
            guard let link = entry.find(in: links) else { continue }
            addresses[entry.device] = link.address
            if let record = entry.record {
                let change = LinkChange(name: record.name, namespace: host.namespace.descriptor.raw)
                moves.append((entry, .change(link.index, change, "move it back to the host as \(record.name)")))
            } else {
                moves.append((entry, .deleteLink(link.index, "delete \(link.name)")))
            }
            if let vrf = entry.vrf, let domain = links.first(where: { $0.name == vrf && $0.kind == "vrf" }) {
                domains.insert(domain.index)
            }
        }
        guard !moves.isEmpty else { return Taken(refusals: refusals, addresses: [:]) }
        let failures = try HostNetwork.step("*", "move back to the host") { () throws(NetlinkError) in
            try pod.execute(all: moves.map(\.request))
        }
        for failure in failures {
            let entry = moves[failure.index].entry
            refusals[entry.device] = PodNetworkError(entry.label, "move back to the host", failure.error)
        }
        if !domains.isEmpty {
            // It may be gone, or another claim of the pod may still use it: then that one takes it away.
            let others = (try? pod.links { $0.master.flatMap { domains.contains($0) ? $0 : nil } }) ?? []
            _ = try? pod.execute(all: domains.subtracting(others).map { .deleteLink($0, "delete a VRF") })
        }
        return Taken(refusals: refusals, addresses: addresses)
    }
}

extension Link {
    /// False when it is certainly not the interface that was recorded.
    fileprivate func isPossibly(_ record: HostRecord) -> Bool {
        kind == record.kind && (record.parentDevice == nil || record.parentDevice == parentDevice)
    }
}
