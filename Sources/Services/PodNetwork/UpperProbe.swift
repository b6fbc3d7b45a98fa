// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Linux
import Netlink
import NetworkModel

/// Detects upper interfaces of any namespace that receive an interface's packets (macvlan, ipvlan, a bridge). The kernel lists only those
/// of the same namespace.
///
/// The probe requests one more macvlan, in the exclusive mode passthru, with a name that is taken in its destination. The kernel never
/// creates it, and the error shows the present uppers (drivers/net/macvlan.c, macvlan_common_newlink): EINVAL for another macvlan, EBUSY
/// for another receiver, EEXIST for none. The request omits NLM_F_EXCL, with which kernels from 6.13 on check the name first
/// (rtnl_newlink).
struct UpperProbe: Sendable {
    /// Random, so that no process can create an interface with this name in the socket's namespace beforehand.
    private let name = "probe-" + String(UInt32.random(in: 0 ... .max), radix: 16)
    /// MACVLAN_MODE_PASSTHRU (linux/if_link.h).
    private static let passthru: UInt32 = 8

    /// The destination namespace, whose loopback interface has the name.
    private let namespace: NetworkNamespace

    /// Nil if namespaces cannot be created.
    init?() {
        let name = name
        do throws(SystemError) {
            let namespace = try NetworkNamespace.make()
            try namespace.run { () throws(SystemError) in
                do throws(NetlinkError) {
                    let request = NetlinkRequest.addAlternativeNames([name], to: 1)
                    try NetlinkSocket().execute(request.operation, type: request.type, flags: request.flags, payload: request.payload)
                } catch { throw SystemError("name", "loopback interface", code: error.code) }
            }
            self.namespace = namespace
        } catch { return nil }
    }

    /// False for interfaces that the probe does not support, such as a macvlan, whose lower interface has to be probed instead.
    static func canAsk(_ link: Link) -> Bool {
        link.type == 1 && !link.isLoopback && !["macvlan", "macvtap", "ipvlan", "ipvtap"].contains(link.kind)
    }

    /// A request for a VLAN that always fails: its MTU is too large, and its name is taken.
    func vlanRequest(_ number: UInt16, _ wireProtocol: UInt16, on index: Int32) -> NetlinkRequest {
        var request = NetlinkRequest.addLink(
            name, kind: "vlan", parent: index, mtu: UInt32(UInt16.max), namespace: namespace.descriptor.raw
        ) {
            $0.attribute(IFLA_VLAN_ID, integer: number)
            $0.attribute(IFLA_VLAN_PROTOCOL, integer: wireProtocol)
        }
        request.flags = NLM_F_CREATE
        return request
    }

    /// - Parameter indices: numbers of interfaces in the socket's namespace.
    /// - Returns: true for interfaces without an upper; nil if the kernel gives no answer.
    func haveNoUpper(_ indices: [Int32], _ socket: NetlinkSocket) throws(NetlinkError) -> [Bool?] {
        var answers = [Bool?](repeating: nil, count: indices.count)
        let requests = indices.map { index in
            var request = NetlinkRequest.addLink(name, kind: "macvlan", parent: index, namespace: namespace.descriptor.raw) {
                $0.attribute(Int(IFLA_MACVLAN_MODE), integer: Self.passthru)
            }
            request.flags = NLM_F_CREATE
            return request
        }
        for failure in try socket.execute(all: requests) {
            switch failure.error.code {
            case EEXIST: answers[failure.index] = true
            case EINVAL, EBUSY: answers[failure.index] = false
            default: break
            }
        }
        return answers
    }
}
