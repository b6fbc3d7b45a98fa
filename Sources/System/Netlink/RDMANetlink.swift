// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// RDMA devices over netlink (rdma/rdma_netlink.h): the devices of a namespace, and moves between namespaces.
package struct RDMANetlink {
    /// The mode of the kernel: all namespaces see all RDMA devices (shared), or each device is in one namespace (exclusive).
    package enum Sharing: Sendable {
        case shared, exclusive
    }

    let socket: NetlinkSocket

    /// Opens a socket in the calling thread's namespace. A move takes the device from the namespace of the requesting thread,
    /// independent of the socket's namespace.
    package init() throws(NetlinkError) { socket = try NetlinkSocket(family: NETLINK_RDMA) }

    static func type(_ command: some BinaryInteger) -> Int { Int(RDMA_NL_NLDEV) << 10 | Int(command) }

    /// The mode; shared if the kernel lacks RDMA, or is too old to report the mode.
    package func sharing() throws(NetlinkError) -> Sharing {
        do throws(NetlinkError) {
            let answer = try socket.get(
                "read the RDMA namespace mode", type: Self.type(RDMA_NLDEV_CMD_SYS_GET.rawValue), payload: [])
            let mode = Attribute.list(answer.payload)?[type: Int(RDMA_NLDEV_SYS_ATTR_NETNS_MODE.rawValue)]?.integer(UInt8.self)
            return mode == 0 ? .exclusive : .shared
        } catch {
            if [EINVAL, EOPNOTSUPP, EPROTONOSUPPORT, ENOENT].contains(error.code) { return .shared }
            throw error
        }
    }

    /// RDMA devices of this namespace, by name.
    package func devices() throws(NetlinkError) -> [String: UInt32] {
        var devices: [String: UInt32] = [:]
        for message in try socket.dump("list RDMA devices", type: Self.type(RDMA_NLDEV_CMD_GET.rawValue), payload: []) {
            guard let attributes = Attribute.list(message.payload),
                let index = attributes[type: Int(RDMA_NLDEV_ATTR_DEV_INDEX.rawValue)]?.integer(UInt32.self),
                let name = attributes[type: Int(RDMA_NLDEV_ATTR_DEV_NAME.rawValue)]?.text
            else { continue }
            devices[name] = index
        }
        return devices
    }

    /// `rdma dev set NAME netns ...`, called by a thread in the device's namespace.
    package func move(_ index: UInt32, named name: String, to namespace: Int32) throws(NetlinkError) {
        var builder = MessageBuilder()
        builder.attribute(Int(RDMA_NLDEV_ATTR_DEV_INDEX.rawValue), integer: index)
        builder.attribute(Int(RDMA_NLDEV_NET_NS_FD.rawValue), integer: UInt32(bitPattern: namespace))
        try socket.execute(
            "move RDMA device \(name) to another namespace", type: Self.type(RDMA_NLDEV_CMD_SET.rawValue), payload: builder.body)
    }

    /// `rdma link add NAME type rxe netdev NETDEV`, called by a thread in the interface's namespace. The kernel creates the device in the
    /// initial namespace.
    package func addSoftware(_ name: String, over netdev: String) throws(NetlinkError) {
        var builder = MessageBuilder()
        builder.attribute(Int(RDMA_NLDEV_ATTR_DEV_NAME.rawValue), text: name)
        builder.attribute(Int(RDMA_NLDEV_ATTR_LINK_TYPE.rawValue), text: "rxe")
        builder.attribute(Int(RDMA_NLDEV_ATTR_NDEV_NAME.rawValue), text: netdev)
        try socket.execute(
            "create software RDMA device \(name) over \(netdev)", type: Self.type(RDMA_NLDEV_CMD_NEWLINK.rawValue), payload: builder.body)
    }

    /// `rdma dev set OLD name NEW`
    package func rename(_ index: UInt32, _ name: String, to newName: String) throws(NetlinkError) {
        var builder = MessageBuilder()
        builder.attribute(Int(RDMA_NLDEV_ATTR_DEV_INDEX.rawValue), integer: index)
        builder.attribute(Int(RDMA_NLDEV_ATTR_DEV_NAME.rawValue), text: newName)
        try socket.execute("rename RDMA device \(name)", type: Self.type(RDMA_NLDEV_CMD_SET.rawValue), payload: builder.body)
    }
}
