// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel

/// The host's network namespace, sockets in it, and threads and mounts that see it.
final class HostNetwork {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket
    let ethtool: Ethtool?
    let drivers: DriverSocket
    /// The thread on which everything inside pods happens.
    let inside: NamespaceThread
    /// Nil on a kernel without RDMA.
    let rdma: RDMANetlink?
    /// The path where sysfs is mounted, of whichever namespace.
    let sysfs: String
    /// Addresses of the node and of the API server: the host uses the interfaces that lead to them.
    let nodeAddresses: [IPAddress]
    let apiServers: [IPAddress]
    /// sysfs of the host's namespace; nil where it cannot be mounted.
    let ownSysfs: HostSysfs?
    /// Made when it is first needed.
    lazy var upperProbe = UpperProbe()
    /// Made when it is first needed.
    lazy var vlanSearch = upperProbe.map(VLANSearch.init)

    /// Descriptors that are readable when a search that a restore waits for has ended.
    var searchDescriptors: [Descriptor] { vlanSearch?.descriptors ?? [] }

    /// The namespace of the calling thread is the host's.
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

    /// True when RDMA devices have to be moved for a pod to see them.
    func movesRDMA() throws(PodNetworkError) -> Bool {
        guard let rdma else { return false }
        return try Self.step("host", "read how namespaces share RDMA devices") { () throws(NetlinkError) in
            try rdma.sharing() == .exclusive
        }
    }

    /// Seconds since boot, with those that a machine sleeps, as the kernel counts lifetimes.
    static func secondsSinceBoot() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int(time.tv_sec)
    }

    /// Runs the closure; its error becomes one with object and step.
    static func step<Value>(
        _ object: String, _ step: String, _ body: () throws(NetlinkError) -> Value
    ) throws(PodNetworkError) -> Value {
        do throws(NetlinkError) { return try body() } catch { throw PodNetworkError(.refused, object, step, error) }
    }
}
