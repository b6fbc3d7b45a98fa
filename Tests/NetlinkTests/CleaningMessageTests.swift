// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import NetworkModel
import Testbed
import Testing

/// Messages that find and remove leftovers of pods, byte by byte as defined in the headers of Linux.
struct CleaningMessageTests {
    @Test
    func `contexts of processes on an RDMA device are decoded, and those of the kernel are skipped`() throws {
        // struct nlattr: RDMA_NLDEV_ATTR_DEV_INDEX (1), RES_CTX (86) with three RES_CTX_ENTRY (87): RES_CTXN (64) and RES_PID (28), RES_CTXN
        // alone, RES_CTXN and RES_KERN_NAME (29).
        let bytes = hex(
            """
            08000100 02000000
            3c005680
              14005780 08004000 05000000 08001c00 39300000
              0c005780 08004000 06000000
              18005780 08004000 07000000 0c001d00 69625f63 6f726500
            """)
        let message = Message(type: 0x1416, flags: 0, payload: bytes)
        #expect(RDMAContext.list(message) == [RDMAContext(number: 5, process: 12345), RDMAContext(number: 6)])
        // A truncated message never gives an invented value.
        for count in bytes.indices {
            let cut = RDMAContext.list(Message(type: 0x1416, flags: 0, payload: Array(bytes[..<count])))
            #expect(cut.isEmpty, "\(count) bytes")
        }
    }

    @Test
    func `only settable channels of a driver are kept`() {
        // struct genlmsghdr of ETHTOOL_MSG_CHANNELS_GET_REPLY (18); the header (1) with the interface's number; the maximums (2, 5) and
        // the counts (6: receiving, 9: both) of channels.
        let bytes = hex(
            "12010000 0c000180 08000100 07000000 08000200 10000000 08000500 10000000 08000600 02000000 08000900 08000000")
        #expect(
            Ethtool.parameters(in: Message(type: 0x15, flags: 0, payload: bytes), 0) == [
                DriverParameter(list: 0, type: 6, value: [2, 0, 0, 0]), DriverParameter(list: 0, type: 9, value: [8, 0, 0, 0]),
            ])
    }

    @Test
    func `an XDP program is detached in its own mode`() {
        // struct ifinfomsg of interface 7; IFLA_XDP (43, nested) with IFLA_XDP_FD (1) of -1 and IFLA_XDP_FLAGS (3) of XDP_FLAGS_DRV_MODE.
        #expect(
            NetlinkRequest.detachXDP(.driver, from: 7).payload
                == hex("00000000 07000000 00000000 00000000 14002b80 08000100 ffffffff 08000300 04000000"))
    }

    @Test
    func `protodown is cleared together with its reasons, and the link mode is set`() {
        var change = LinkChange()
        change.linkMode = 0
        change.protoDown = ProtoDown()
        // IFLA_LINKMODE (17); IFLA_PROTO_DOWN_REASON (55, nested) with its mask (1) and value (2); IFLA_PROTO_DOWN (39).
        #expect(
            change.payload(index: 7)
                == hex(
                    "00000000 07000000 00000000 00000000 05001100 00000000 14003780 08000100 ffffffff 08000200 00000000 05002700 00000000"))
    }
}
