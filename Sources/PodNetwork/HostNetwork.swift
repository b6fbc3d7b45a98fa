// SPDX-License-Identifier: Apache-2.0

package import Journal
package import Linux
import Netlink

/// The host's network namespace and a socket into it.
package final class HostNetwork {
    package let namespace: NetworkNamespace
    let socket: NetlinkSocket

    /// The namespace of the calling thread is the host's.
    package init() throws(PodNetworkError) {
        do throws(SystemError) { namespace = try NetworkNamespace.current() } catch {
            throw PodNetworkError("*", "open the host's network namespace", error)
        }
        do throws(NetlinkError) { socket = try NetlinkSocket() } catch {
            throw PodNetworkError("*", "open a socket in the host's network namespace", error)
        }
    }

    /// Reads an interface as it is, before anything touches it.
    package func record(_ name: String) throws(PodNetworkError) -> HostRecord {
        try Self.step(name, "look at it on the host") { () throws(NetlinkError) -> HostRecord in
            guard let link = try socket.link(named: name) else {
                throw NetlinkError("find interface \(name)", code: 19, text: "it is not on the host")
            }
            if link.master != nil {
                throw NetlinkError(
                    "take interface \(name)", code: 16, text: "it is a port of a bridge, bond or VRF; take it out first")
            }
            return HostRecord(
                name: name, index: link.index, hardwareAddress: link.address, mtu: link.mtu, isUp: link.isUp,
                state: link.state, kind: link.kind, alias: link.alias,
                addresses: try socket.addresses().filter { $0.index == link.index },
                routes: try socket.routes().filter { $0.interface == link.index && !$0.isKernels })
        }
    }

    static func step<Value>(
        _ interface: String, _ step: String, _ body: () throws(NetlinkError) -> Value
    ) throws(PodNetworkError) -> Value {
        do throws(NetlinkError) { return try body() } catch { throw PodNetworkError(interface, step, error) }
    }
}
