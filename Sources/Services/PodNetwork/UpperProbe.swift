// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Linux
import Netlink
import NetworkModel

/// Finds out whether an interface of any namespace is stacked on one and receives its packets (macvlan, ipvlan, a bridge): the kernel lists
/// only those of the namespace that is asked.
///
/// The kernel is asked to make one more macvlan, in the mode that allows no other (passthru), and with a name that is taken where it is to
/// be. It never comes to be, and the error says what there is already (drivers/net/macvlan.c, macvlan_common_newlink): EINVAL for another
/// macvlan, EBUSY for what receives in its place, EEXIST for nothing. The request goes without NLM_F_EXCL: with it kernels from 6.13 on look
/// at the name before anything else (rtnl_newlink).
struct UpperProbe: Sendable {
    /// No process can foresee it, and so no interface of the socket's namespace has it.
    private let name = "probe-" + String(UInt32.random(in: 0 ... .max), radix: 16)
    /// MACVLAN_MODE_PASSTHRU (linux/if_link.h).
    private static let passthru: UInt32 = 8

    /// Where the name is taken, by the loopback interface.
    private let namespace: NetworkNamespace

    /// Nil where namespaces cannot be made.
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

    /// False for what this cannot be asked about: a macvlan is asked for the interface below it.
    static func canAsk(_ link: Link) -> Bool {
        link.type == 1 && !link.isLoopback && !["macvlan", "macvtap", "ipvlan", "ipvtap"].contains(link.kind)
    }

    /// The request to make a VLAN that cannot be made: its MTU is larger than any, and its name is taken.
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

    /// - Parameter indices: numbers of interfaces in the namespace of the socket.
    /// - Returns: true for those that nothing is stacked on, nil where the kernel does not say.
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
