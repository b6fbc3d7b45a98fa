// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension ProtoDown {
    /// The kernel checks the reasons first (net/core/rtnetlink.c, do_set_proto_down).
    func write(_ builder: inout MessageBuilder) {
        builder.nested(IFLA_PROTO_DOWN_REASON) { reason in
            reason.attribute(IFLA_PROTO_DOWN_REASON_MASK, integer: UInt32.max)
            reason.attribute(IFLA_PROTO_DOWN_REASON_VALUE, integer: reasons)
        }
        builder.attribute(IFLA_PROTO_DOWN, integer: UInt8(isOn ? 1 : 0))
    }
}

extension XDPPrograms {
    /// Reads IFLA_XDP. Unused modes have no attribute.
    init(_ attribute: Attribute) {
        self.init()
        let parts = attribute.nested ?? []
        generic = parts[type: IFLA_XDP_SKB_PROG_ID]?.integer()
        driver = parts[type: IFLA_XDP_DRV_PROG_ID]?.integer()
        hardware = parts[type: IFLA_XDP_HW_PROG_ID]?.integer()
    }
}

extension XDPPrograms.Mode {
    /// XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE.
    var flag: UInt32 {
        switch self {
        case .generic: 1 << 1
        case .driver: 1 << 2
        case .hardware: 1 << 3
        }
    }
}

extension NetlinkRequest {
    /// `ip link set dev INDEX xdpgeneric off`, or `xdpdrv` or `xdpoffload`.
    package static func detachXDP(_ mode: XDPPrograms.Mode, from index: Int32) -> NetlinkRequest {
        var builder = MessageBuilder()
        Link.header(&builder, index: index)
        builder.nested(IFLA_XDP) { xdp in
            xdp.attribute(IFLA_XDP_FD, integer: Int32(-1))
            xdp.attribute(IFLA_XDP_FLAGS, integer: mode.flag)
        }
        return NetlinkRequest("detach the XDP program (\(mode))", type: RTM_NEWLINK, payload: builder.body)
    }

    /// `ip link property del dev INDEX altname NAME...`, in messages of at most 64 names (8 KiB).
    package static func deleteAlternativeNames(_ names: [String], from index: Int32) -> [NetlinkRequest] {
        stride(from: 0, to: names.count, by: 64).map { start in
            var builder = MessageBuilder()
            Link.header(&builder, index: index)
            builder.nested(IFLA_PROP_LIST) { list in
                for name in names[start..<min(start + 64, names.count)] { list.attribute(IFLA_ALT_IFNAME, text: name) }
            }
            return NetlinkRequest("delete names of another namespace", type: RTM_DELLINKPROP, payload: builder.body)
        }
    }
}
