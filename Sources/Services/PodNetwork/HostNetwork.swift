// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// The host's network namespace and sockets into it.
final class HostNetwork {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket
    let ethtool: Ethtool?
    let drivers: DriverSocket
    /// Where everything inside pods happens.
    let inside: NamespaceThread
    /// Nil on a kernel without RDMA.
    let rdma: RDMANetlink?
    /// Where sysfs is mounted.
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

    /// Each is readable when a search that a restore waits for has ended.
    var searchDescriptors: [Descriptor] { vlanSearch?.descriptors ?? [] }

    /// The namespace of the calling thread is the host's.
    init(sysfs: String, nodeAddresses: [IPAddress], apiServers: [IPAddress]) throws(PodNetworkError) {
        (self.sysfs, self.nodeAddresses, self.apiServers) = (sysfs, nodeAddresses, apiServers)
        do throws(SystemError) { namespace = try NetworkNamespace.current() } catch {
            throw PodNetworkError("*", "open the host's network namespace", error)
        }
        inside = NamespaceThread(home: namespace)
        do throws(NetlinkError) {
            socket = try NetlinkSocket()
            ethtool = try Ethtool()
        } catch { throw PodNetworkError("*", "open a socket in the host's network namespace", error) }
        do throws(SystemError) { drivers = try DriverSocket() } catch {
            throw PodNetworkError("*", "open a socket in the host's network namespace", error)
        }
        rdma = try? RDMANetlink()
        ownSysfs = HostSysfs()
    }

    /// Whether RDMA devices have to be moved for a pod to see them.
    func movesRDMA() throws(PodNetworkError) -> Bool {
        guard let rdma else { return false }
        return try Self.step("*", "ask how namespaces share RDMA devices") { () throws(NetlinkError) in try rdma.sharing() == .exclusive }
    }

    /// Reads interfaces as they are, before anything touches them.
    ///
    /// - Parameters:
    ///   - isTaken: true when they are to go, rather than to be stacked on.
    ///   - routing: afterwards the tables of the host, if they had to be read.
    func records(_ names: [String], isTaken: Bool = true, _ routing: inout HostRouting?) throws(PodNetworkError) -> [HostRecord] {
        guard !names.isEmpty else { return [] }
        let messages = try Self.step(names[0], "look at it on the host") { () throws(NetlinkError) in
            try socket.get(all: names.map(NetlinkRequest.link), absent: [ENODEV])
        }
        var records: [HostRecord] = []
        var probed: [Int] = []
        for (name, message) in zip(names, messages) {
            guard let message, let link = Link(message) else {
                throw PodNetworkError(name, "look at it on the host", "it is not there")
            }
            if link.name != name {
                throw PodNetworkError(name, "look at it on the host", "it is called \(link.name) now")
            }
            if isTaken, let master = link.master {
                throw PodNetworkError(
                    name, "take it from the host", "it is a port of interface \(master), a bridge, bond or VRF; take it out first")
            }
            var record = HostRecord(link)
            record.settings = LinkSettings(message)
            if link.kind != nil { record.inode = ownSysfs?.inode(of: name) }
            if isTaken, UpperProbe.canAsk(link) { probed.append(records.count) }
            records.append(record)
        }
        if isTaken {
            try complete(&records, &routing)
            try recordSysfs(&records)
            for index in records.indices where records[index].parentDevice != nil {
                do throws(SystemError) { records[index].driverSettings = try drivers.calls(to: records[index].name).settings() } catch {
                    throw PodNetworkError(records[index].name, "read what its driver was told", error)
                }
            }
            try recordHooks(&records, probed)
        }
        return records
    }

    /// What other tables than that of interfaces hold of them.
    private func complete(_ records: inout [HostRecord], _ routing: inout HostRouting?) throws(PodNetworkError) {
        var all = records
        let now = Self.secondsSinceBoot()
        try Self.step(records[0].name, "read what it has on the host") { () throws(NetlinkError) in
            let tables = try socket.hostRouting(of: Set(all.map(\.index)))
            routing = tables
            for index in all.indices {
                all[index].addresses = tables.addresses.filter { $0.index == all[index].index }
                all[index].routes = tables.completeRoutes.filter { $0.interfaces.contains(all[index].index) && !$0.isKernels }
                // By interface: a host can have far more of them.
                all[index].neighbours = try socket.neighbours(of: all[index].index)
            }
            let neighbourSettings = try socket.neighbourSettings()
            for index in all.indices { all[index].neighbourSettings = neighbourSettings[all[index].index] ?? [] }
            let queueing = try socket.queueingDisciplines(of: all.map(\.index))
            for index in all.indices { all[index].queueing = queueing[all[index].index] ?? [] }
            for index in all.indices { all[index].rules = tables.rules.filter(all[index].owns) }
            if let ethtool {
                let features = try ethtool.wantedBits(.features, of: all.map(\.index))
                let hardware = all.indices.filter { all[$0].parentDevice != nil }
                let flags = hardware.isEmpty ? [] : try ethtool.wantedBits(.privateFlags, of: hardware.map { all[$0].index })
                for index in all.indices { all[index].features = features[index] }
                let own = all.indices.filter { all[$0].parentDevice != nil || all[$0].kind == "veth" }
                let parameters = own.isEmpty ? [] : try ethtool.parameters(of: own.map { all[$0].index })
                for (index, parameters) in zip(own, parameters) { all[index].parameters = parameters }
                for (index, flags) in zip(hardware, flags) { all[index].privateFlags = flags }
            }
        }
        for record in all {
            guard let lost = record.queueing.first(where: { !$0.isComplete }) else { continue }
            throw PodNetworkError(
                record.name, "take it from the host",
                "somebody has set its queueing discipline to \(lost.kind), whose classes and filters a move loses; take that off first (tc qdisc del dev \(record.name) root)"
            )
        }
        let software = try Self.step(records[0].name, "look for software RDMA") { () throws(NetlinkError) in try softwareRDMA() }
        for index in all.indices {
            all[index].recordedAt = now
            all[index].softwareRDMA = software[all[index].name]
            all[index].functions = try functions(of: all[index])
        }
        records = all
    }

    private func recordSysfs(_ records: inout [HostRecord]) throws(PodNetworkError) {
        guard let ownSysfs else { return }
        for index in records.indices {
            do throws(SystemError) {
                records[index].sysfs = try ownSysfs.settings(of: records[index].name, isHardware: records[index].parentDevice != nil)
            } catch { throw PodNetworkError(records[index].name, "read its settings in sysfs", error) }
        }
    }

    /// Programs and interfaces that receive or change their packets.
    ///
    /// - Parameter probed: places of records of which it can be asked whether something is stacked on them.
    private func recordHooks(_ records: inout [HostRecord], _ probed: [Int]) throws(PodNetworkError) {
        for index in records.indices {
            do throws(SystemError) {
                let programs = try InterfaceHooks.programs(on: records[index].index)
                if !programs.isEmpty { records[index].hookPrograms = programs }
            } catch { throw PodNetworkError(records[index].name, "list programs (TCX)", error) }
        }
        guard !probed.isEmpty, let upperProbe else { return }
        let indices = probed.map { records[$0].index }
        let answers = try Self.step(records[probed[0]].name, "look for interfaces on it") { () throws(NetlinkError) in
            try upperProbe.haveNoUpper(indices, socket)
        }
        for (place, answer) in zip(probed, answers) { records[place].hasNoUpper = answer }
    }

    /// Time that also passes while a machine sleeps, as the kernel counts lifetimes.
    static func secondsSinceBoot() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int(time.tv_sec)
    }

    static func step<Value>(
        _ interface: String, _ step: String, _ body: () throws(NetlinkError) -> Value
    ) throws(PodNetworkError) -> Value {
        do throws(NetlinkError) { return try body() } catch { throw PodNetworkError(interface, step, error) }
    }
}

extension HostRecord {
    /// True for a rule that is about this interface and no other: it names it, or selects its own addresses, and leads to
    /// a table with its routes. Only such a rule means the same in a pod.
    func owns(_ rule: Rule) -> Bool {
        guard !rule.isInverted, rule.table != Route.mainTable, routes.contains(where: { $0.table == rule.table && $0.isV6 == rule.isV6 })
        else { return false }
        if let named = rule.inputInterface ?? rule.outputInterface {
            return named == name && (rule.outputInterface ?? name) == name
        }
        guard let source = rule.source else { return false }
        return addresses.contains { address in
            source.length == source.address.bitCount
                ? source.address == address.prefix.address
                : source.length == address.prefix.length && source.contains(address.prefix.address)
        }
    }
}
