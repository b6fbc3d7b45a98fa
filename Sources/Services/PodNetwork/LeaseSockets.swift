// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import JournalModel
package import Linux
import Netlink
package import NetworkModel

/// The socket and the addresses that a DHCP client needs, opened while the process has the capabilities.
package struct LeaseSockets {
    /// A packet socket for IPv4; for IPv6 a UDP socket on the client's port.
    package var socket: Descriptor
    /// Holds the client's port for IPv4, so that the kernel sends servers no "port unreachable".
    package var sink: Descriptor?
    /// ARPHRD_ETHER is 1, ARPHRD_INFINIBAND 32 (linux/if_arp.h).
    package var type: UInt16
    package var address: HardwareAddress
    package var broadcast: HardwareAddress
}

extension PodNetwork {
    /// Opens the sockets of an interface's DHCP client.
    ///
    /// - Parameter index: the interface's number in the pod.
    package func leaseSockets(_ family: Lease.Family, of index: Int32, in namespace: NetworkNamespace) throws(PodNetworkError)
        -> LeaseSockets
    {
        try inside(namespace) { (pod) throws(PodNetworkError) in
            let (link, broadcast) = try HostNetwork.step("\(index)", "read in the pod") { () throws(NetlinkError) in
                var builder = MessageBuilder()
                Link.header(&builder, index: index)
                let message = try pod.get("look up interface \(index)", type: RTM_GETLINK, payload: builder.body)
                // The attributes follow struct ifinfomsg.
                let attributes = Attribute.list(message.payload.dropFirst(16)) ?? []
                return (Link(message), attributes[type: IFLA_BROADCAST]?.value)
            }
            guard let link, let address = link.address, [6, 20].contains(address.bytes.count) else {
                throw PodNetworkError(
                    .refused, "\(index)", "read in the pod", "the interface has no hardware address that a DHCP client can use")
            }
            do throws(SystemError) {
                let port: (v4: Int32, v6: Int32) = (68, 546)
                func open(_ family: Int32, _ port: Int32, isSink: Bool) throws(SystemError) -> Descriptor {
                    Descriptor(
                        owning: try checked("open", "port \(port) of \(link.name)") {
                            // SAFETY: the call stays within the size of each argument, and keeps no pointer.
                            unsafe CLinux_port_socket(family, port, link.name, isSink ? 1 : 0)
                        })
                }
                let socket =
                    family == .v4
                    ? Descriptor(
                        owning: try checked("open", "a packet socket of \(link.name)") { CLinux_packet_socket(index, Int32(ETH_P_IP)) })
                    : try open(AF_INET6, port.v6, isSink: false)
                return LeaseSockets(
                    socket: socket, sink: family == .v4 ? try open(AF_INET, port.v4, isSink: true) : nil, type: link.type,
                    address: address,
                    broadcast: HardwareAddress(bytes: broadcast.map(Array.init) ?? [UInt8](repeating: 0xff, count: address.bytes.count)))
            } catch { throw PodNetworkError(.refused, link.name, "open the sockets of the DHCP client", error) }
        }
    }
}
