// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Netlink
package import NetworkModel

extension PodNetwork {
    /// A device to restore, with all that is known of it.
    package struct RestoreRequest: Sendable {
        package var device: String
        /// Its interface's name and number in the pod; without a number the move may have broken off.
        package var podName: String?
        package var podIndex: Int32?
        /// The interface's record on the host; nil for one that was made for the pod.
        package var record: HostRecord?
        /// The hardware address it has in the pod.
        package var hardwareAddress: HardwareAddress?
        package var rdmaDevice: String?
        /// An RDMA device that did not move, as all namespaces see it.
        package var sharedRDMADevice: String?
        /// Contexts of the shared RDMA device that the host had open before, by number.
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

        init(_ request: AttachRequest) {
            device = request.device
            podName = request.plan?.name
            record = request.isChild ? nil : request.record
            hardwareAddress = request.plan?.hardwareAddress
            rdmaDevice = request.rdmaDevice
            vrf = request.plan?.vrf?.name
            virtualFunction = request.virtualFunction?.record
        }

        /// The name that errors have for it.
        var label: String { record?.name ?? podName ?? rdmaDevice ?? device }
        /// Some drivers take an address that the physical function has set for the permanent one.
        private var isVirtual: Bool { virtualFunction != nil }

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

        /// True for the interface that was recorded, and not another one of its name.
        func isSame(_ link: Link, _ record: HostRecord) -> Bool {
            guard link.kind == record.kind else { return false }
            if isVirtual, let parent = record.parentDevice { return link.parentDevice == parent }
            if let permanent = record.permanentAddress {
                return link.permanentAddress == permanent && (record.parentDevice == nil || link.parentDevice == record.parentDevice)
            }
            return link.address == record.hardwareAddress || hardwareAddress.map { $0 == link.address } ?? false
        }

        /// True for an interface of the pod that may be the one to restore, or its VRF.
        func concerns(_ link: Link) -> Bool {
            if vrf == link.name, link.kind == "vrf" { return true }
            if let podIndex { return link.index == podIndex }
            return link.name == podName || (record.map { link.name == $0.name || isSame(link, $0) } ?? false)
        }
    }
}

extension [PodNetwork.RestoreRequest] {
    /// The interfaces of a pod that concern them.
    func links(_ socket: NetlinkSocket) throws(PodNetworkError) -> PodLinks {
        try HostNetwork.step("pod", "list interfaces") { () throws(NetlinkError) in
            try PodLinks(socket) { link in contains { $0.concerns(link) } }
        }
    }
}

extension Link {
    /// False when it is certainly not the interface that was recorded.
    fileprivate func isPossibly(_ record: HostRecord) -> Bool {
        kind == record.kind && (record.parentDevice == nil || record.parentDevice == parentDevice)
    }
}
