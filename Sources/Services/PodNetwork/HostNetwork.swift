// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel

/// The host's network namespace, with sockets, threads and mounts in it.
final class HostNetwork {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket
    let ethtool: Ethtool?
    let drivers: DriverSocket
    /// The thread for all work inside pods.
    let inside: NamespaceThread
    /// Nil on a kernel without RDMA.
    let rdma: RDMANetlink?
    /// The mount point of sysfs, which may show any namespace.
    let sysfs: String
    /// Addresses of the node and of the API server. Interfaces that lead to them are in use by the host.
    let nodeAddresses: [IPAddress]
    let apiServers: [IPAddress]
    /// sysfs of the host's namespace; nil if it cannot be mounted.
    let ownSysfs: HostSysfs?
    /// Created at first use.
    lazy var upperProbe = UpperProbe()
    /// Created at first use.
    lazy var vlanSearch = upperProbe.map(VLANSearch.init)

    /// Descriptors that become readable when a search ends that a restore waits for.
    var searchDescriptors: [Descriptor] { vlanSearch?.descriptors ?? [] }

    /// The calling thread must be in the host's network namespace.
    init(sysfs: String, nodeAddresses: [IPAddress], apiServers: [IPAddress]) throws(PodNetworkError) {
        (self.sysfs, self.nodeAddresses, self.apiServers) = (sysfs, nodeAddresses, apiServers)
        do throws(SystemError) { namespace = try NetworkNamespace.current() } catch {
            throw PodNetworkError(.refused, "host", "open the network namespace", error)
        }
        inside = NamespaceThread(home: namespace)
        do throws(NetlinkError) {
            socket = try NetlinkSocket()
            ethtool = try Ethtool()
        } catch { throw PodNetworkError(.refused, "host", "open a socket", error) }
        do throws(SystemError) { drivers = try DriverSocket() } catch {
            throw PodNetworkError(.refused, "host", "open a socket", error)
        }
        rdma = try? RDMANetlink()
        ownSysfs = HostSysfs()
    }

    /// True if the pod sees an RDMA device only after a move (the kernel's exclusive mode).
    func movesRDMA() throws(PodNetworkError) -> Bool {
        guard let rdma else { return false }
        return try Self.step("host", "read the RDMA namespace mode") { () throws(NetlinkError) in
            try rdma.sharing() == .exclusive
        }
    }

    /// Seconds since boot including suspend, the kernel's clock for lifetimes of addresses.
    static func secondsSinceBoot() -> Int {
        Int(ContinuousClock().systemEpoch.duration(to: .now).components.seconds)
    }

    /// Runs the closure, and adds object and step to its error.
    static func step<Value>(
        _ object: String, _ step: String, _ body: () throws(NetlinkError) -> Value
    ) throws(PodNetworkError) -> Value {
        do throws(NetlinkError) { return try body() } catch { throw PodNetworkError(.refused, object, step, error) }
    }
}
