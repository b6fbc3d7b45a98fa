// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Netlink
package import NetworkModel

extension PodNetwork {
    /// A device to restore, with its recorded identity and settings.
    package struct RestoreRequest: Sendable {
        package var device: String
        /// The interface's name and number in the pod. Without a number, the move may have been interrupted.
        package var podName: String?
        package var podIndex: Int32?
        /// The interface's record on the host; nil for an interface that was created for the pod.
        package var record: HostRecord?
        /// The interface's hardware address in the pod.
        package var hardwareAddress: HardwareAddress?
        package var rdmaDevice: String?
        /// An RDMA device in the shared mode, which did not move.
        package var sharedRDMA: SharedRDMADevice?
        package var vrf: String?
        /// The settings of a virtual function that belong to its physical function, recorded before the attach.
        package var virtualFunction: VirtualFunctionRecord?

        package init(_ attachment: Attachment) {
            device = attachment.device
            podName = attachment.podName
            podIndex = attachment.podIndex
            record = attachment.host
            hardwareAddress = attachment.hardwareAddress
            rdmaDevice = attachment.rdmaDevice
            sharedRDMA = attachment.sharedRDMA
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

        /// The device's name in errors.
        var label: String { record?.name ?? podName ?? rdmaDevice ?? device }
        /// Some drivers report the address that the physical function has set as permanent.
        private var isVirtual: Bool { virtualFunction != nil }

        /// The interface among those of the pod, by its number, because the pod can change names and addresses. A pod can also move an
        /// interface away and give its number to another one: hardware is identified by its device, and virtual interfaces are checked
        /// again on the host (``HostSysfs/inode(of:)``).
        package func find(in links: [Link]) -> Link? {
            if let podIndex {
                return links.first { $0.index == podIndex && (record.map($0.isPossibly) ?? true) }
            }
            guard let record else {
                return links.first { $0.name == podName && $0.link != nil }
            }
            // The interface has the pod's name, the host's name after an interrupted move, or a name that the kernel chose.
            return links.first { $0.name == podName && isSame($0, record) } ?? links.first { $0.name == record.name && isSame($0, record) }
                ?? links.first { isSame($0, record) }
        }

        /// The interface among those of the host: by its name, or by its identity if the kernel renamed it at the end of the pod's
        /// namespace.
        package func findOnHost(_ links: [Link]) -> Link? {
            guard let record else { return nil }
            return links.first { $0.name == record.name && isSame($0, record) } ?? links.first { $0.name == podName && isSame($0, record) }
                ?? links.first {
                    record.permanentAddress != nil && ($0.permanentAddress == record.permanentAddress || isVirtual) && isSame($0, record)
                }
        }

        /// True for the recorded interface, and false for another interface with its name.
        package func isSame(_ link: Link, _ record: HostRecord) -> Bool {
            guard link.kind == record.kind else { return false }
            if isVirtual, let parent = record.parentDevice { return link.parentDevice == parent }
            if let permanent = record.permanentAddress {
                return link.permanentAddress == permanent && (record.parentDevice == nil || link.parentDevice == record.parentDevice)
            }
            return link.address == record.hardwareAddress || hardwareAddress.map { $0 == link.address } ?? false
        }

        /// True for an interface of the pod that may be the recorded one, or its VRF.
        package func concerns(_ link: Link) -> Bool {
            if vrf == link.name, link.kind == "vrf" { return true }
            if let podIndex { return link.index == podIndex }
            return link.name == podName || (record.map { link.name == $0.name || isSame(link, $0) } ?? false)
        }
    }
}

extension [PodNetwork.RestoreRequest] {
    /// The interfaces of a pod that any of the requests concerns.
    func links(_ socket: NetlinkSocket) throws(PodNetworkError) -> PodLinks {
        try HostNetwork.step("pod", "list interfaces") { () throws(NetlinkError) in
            try PodLinks(socket) { link in contains { $0.concerns(link) } }
        }
    }
}

extension Link {
    /// False if it is certainly not the recorded interface.
    fileprivate func isPossibly(_ record: HostRecord) -> Bool {
        kind == record.kind && (record.parentDevice == nil || record.parentDevice == parentDevice)
    }
}
