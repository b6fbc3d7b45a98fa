// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux

/// What drivers tell of their interfaces, by the kernel's generic netlink family `ethtool`
/// (Documentation/networking/ethtool-netlink.rst).
package struct Ethtool {
    private let socket: NetlinkSocket
    private let family: UInt16

    /// Nil on a kernel without the family (before 5.6).
    package init?() throws(NetlinkError) {
        socket = try NetlinkSocket(family: NETLINK_GENERIC)
        var builder = MessageBuilder([UInt8(CTRL_CMD_GETFAMILY), 1, 0, 0])
        builder.attribute(Int(CTRL_ATTR_FAMILY_NAME), text: ETHTOOL_GENL_NAME)
        do throws(NetlinkError) {
            let answer = try socket.get(
                "look up the netlink family ethtool", type: Int(GENL_ID_CTRL), payload: builder.body)
            guard let id = Self.attributes(of: answer)?[type: Int(CTRL_ATTR_FAMILY_ID)]?.integer(UInt16.self) else {
                return nil
            }
            family = id
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
    }

    /// Speeds in Mb/s by interface index, in one dump: of those that know theirs.
    package func speeds() throws(NetlinkError) -> [Int32: Int] {
        var builder = MessageBuilder([UInt8(ETHTOOL_MSG_LINKMODES_GET), UInt8(ETHTOOL_GENL_VERSION), 0, 0])
        builder.nested(Int(ETHTOOL_A_LINKMODES_HEADER)) {
            $0.attribute(Int(ETHTOOL_A_HEADER_FLAGS), integer: UInt32(1))  // ETHTOOL_FLAG_COMPACT_BITSETS
        }
        var speeds: [Int32: Int] = [:]
        for message in try socket.dump("list link modes", type: Int(family), payload: builder.body) {
            guard let attributes = Self.attributes(of: message),
                let header = attributes[type: Int(ETHTOOL_A_LINKMODES_HEADER)]?.nested,
                let index = header[type: Int(ETHTOOL_A_HEADER_DEV_INDEX)]?.integer(Int32.self),
                let speed = attributes[type: Int(ETHTOOL_A_LINKMODES_SPEED)]?.integer(UInt32.self),
                // SPEED_UNKNOWN is all ones.
                speed > 0, speed <= UInt32(Int32.max)
            else { continue }
            speeds[index] = Int(speed)
        }
        return speeds
    }

    /// The attributes behind struct genlmsghdr.
    private static func attributes(of message: Message) -> [Attribute]? {
        message.payload.count < 4 ? nil : Attribute.list(message.payload.dropFirst(4))
    }
}

/// Asks drivers for the version of their firmware, which no netlink family tells for all.
package struct FirmwareVersions {
    private let socket: Descriptor

    /// In the namespace of the calling thread.
    package init() throws(SystemError) {
        socket = Descriptor(
            owning: try checked("open", "socket") {
                Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    /// Nil when the driver does not say.
    package func version(of interface: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            guard let start = buffer.baseAddress, CLinux_firmware_version(socket.raw, interface, start) == 0 else { return nil }
            let text = String(cString: start)
            return text.isEmpty || text == "N/A" ? nil : text
        }
    }
}
