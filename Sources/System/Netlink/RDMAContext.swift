// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A user context: an RDMA device that a process has open.
package struct RDMAContext: Hashable, Sendable {
    /// Number of the context on its device.
    package var number: UInt32
    /// The process in the caller's PID namespace; nil if it is in another one, or has ended and left the descriptor to another process.
    package var process: UInt32?

    /// Reads one answer to RDMA_NLDEV_CMD_RES_CTX_GET (rdma/rdma_netlink.h). Skips contexts of the kernel, which have a name.
    package static func list(_ message: Message) -> [RDMAContext] {
        let entries = Attribute.list(message.payload)?[type: Int(RDMA_NLDEV_ATTR_RES_CTX.rawValue)]?.nested ?? []
        return entries.compactMap { entry in
            guard Int(entry.type) == Int(RDMA_NLDEV_ATTR_RES_CTX_ENTRY.rawValue), let parts = entry.nested,
                parts[type: Int(RDMA_NLDEV_ATTR_RES_KERN_NAME.rawValue)] == nil,
                let number = parts[type: Int(RDMA_NLDEV_ATTR_RES_CTXN.rawValue)]?.integer(UInt32.self)
            else { return nil }
            return RDMAContext(number: number, process: parts[type: Int(RDMA_NLDEV_ATTR_RES_PID.rawValue)]?.integer())
        }
    }

    package init(number: UInt32, process: UInt32? = nil) {
        self.number = number
        self.process = process
    }
}

extension RDMANetlink {
    /// `rdma resource show ctx dev NAME`. Nil before Linux 5.3, and for a device that does not exist.
    package func contexts(_ index: UInt32, named name: String) throws(NetlinkError) -> [RDMAContext]? {
        var builder = MessageBuilder()
        builder.attribute(Int(RDMA_NLDEV_ATTR_DEV_INDEX.rawValue), integer: index)
        do throws(NetlinkError) {
            return try socket.dump(
                "list open contexts of RDMA device \(name)", type: Self.type(RDMA_NLDEV_CMD_RES_CTX_GET.rawValue), payload: builder.body
            ).flatMap(RDMAContext.list)
        } catch {
            if [EINVAL, EOPNOTSUPP, ENOENT, ENODEV].contains(error.code) { return nil }
            throw error
        }
    }
}
