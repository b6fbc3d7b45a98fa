// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// Interfaces of the host as the kernel describes them before a pod gets them.
extension HostNetwork {
    /// Records of interfaces, and the tables of the host that were read for them.
    struct Records {
        var interfaces: [HostRecord] = []
        /// Nil when no interface is moved.
        var routing: HostRouting?
    }

    /// Reads interfaces that a pod's interfaces are stacked on.
    func parents(_ names: [String]) throws(PodNetworkError) -> [HostRecord] {
        try links(names).map { record($0.link, $0.message) }
    }

    /// Reads interfaces that are moved, with all that a move loses or a pod can change.
    ///
    /// - Throws: when one is not there, cannot be moved, or has something that could not be restored.
    func records(_ names: [String]) throws(PodNetworkError) -> Records {
        let links = try links(names)
        guard !links.isEmpty else { return Records() }
        for (link, _) in links {
            guard let master = link.master else { continue }
            throw PodNetworkError(
                .notMovable, link.name, "take it from the host",
                "it is a port of interface \(master), a bridge, bond or VRF; take it out first")
        }
        var records = Records(interfaces: links.map { record($0.link, $0.message) })
        records.routing = try recordTables(&records.interfaces)
        try refuseLostQueueing(records.interfaces)
        try recordEthtool(&records.interfaces)
        try recordFiles(&records.interfaces)
        try recordRDMA(&records.interfaces)
        try recordHooks(&records.interfaces, canAsk: links.map { UpperProbe.canAsk($0.link) })
        return records
    }

    private func links(_ names: [String]) throws(PodNetworkError) -> [(link: Link, message: Message)] {
        guard let first = names.first else { return [] }
        let step = "read it on the host"
        let messages = try Self.step(first, step) { () throws(NetlinkError) in
            try socket.get(all: names.map(NetlinkRequest.link), absent: [ENODEV])
        }
        var links: [(Link, Message)] = []
        for (name, message) in zip(names, messages) {
            guard let message, let link = Link(message) else { throw PodNetworkError(.missing, name, step, "it is not there") }
            guard link.name == name else { throw PodNetworkError(.otherDevice, name, step, "its name is \(link.name) now") }
            links.append((link, message))
        }
        return links
    }

    private func record(_ link: Link, _ message: Message) -> HostRecord {
        var record = HostRecord(link)
        record.settings = LinkSettings(message)
        if link.kind != nil { record.inode = ownSysfs?.inode(of: link.name) }
        return record
    }

    // MARK: Parts of a record

    /// Addresses, routes, rules, neighbours and queueing disciplines.
    private func recordTables(_ records: inout [HostRecord]) throws(PodNetworkError) -> HostRouting {
        let indices = records.map(\.index)
        var all = records
        let now = Self.secondsSinceBoot()
        let routing = try Self.step(records[0].name, "read its addresses and routes") { () throws(NetlinkError) in
            let routing = try socket.hostRouting(of: Set(indices))
            let settings = try socket.neighbourSettings()
            let queueing = try socket.queueingDisciplines(of: indices)
            for place in all.indices {
                let index = all[place].index
                all[place].addresses = routing.addresses.filter { $0.index == index }
                all[place].routes = routing.completeRoutes.filter { $0.interfaces.contains(index) && !$0.isKernels }
                all[place].rules = routing.rules.filter(all[place].owns)
                // By interface: a host can have far more of them.
                all[place].neighbours = try socket.neighbours(of: index)
                all[place].neighbourSettings = settings[index] ?? []
                all[place].queueing = queueing[index] ?? []
                all[place].recordedAt = now
            }
            return routing
        }
        records = all
        return routing
    }

    private func refuseLostQueueing(_ records: [HostRecord]) throws(PodNetworkError) {
        for record in records {
            guard let lost = record.queueing.first(where: { !$0.isComplete }) else { continue }
            throw PodNetworkError(
                .notMovable, record.name, "take it from the host",
                "its queueing discipline was set to \(lost.kind), whose classes and filters a move loses; take that off first (tc qdisc del dev \(record.name) root)"
            )
        }
    }

    /// Features, private flags and parameters, by ethtool's netlink family.
    private func recordEthtool(_ records: inout [HostRecord]) throws(PodNetworkError) {
        guard let ethtool else { return }
        var all = records
        try Self.step(records[0].name, "read its features and the settings of its driver") { () throws(NetlinkError) in
            let features = try ethtool.wantedBits(.features, of: all.map(\.index))
            for (place, bits) in zip(all.indices, features) { all[place].features = bits }
            let hardware = all.indices.filter { all[$0].parentDevice != nil }
            let flags = hardware.isEmpty ? [] : try ethtool.wantedBits(.privateFlags, of: hardware.map { all[$0].index })
            for (place, bits) in zip(hardware, flags) { all[place].privateFlags = bits }
            let own = all.indices.filter { all[$0].parentDevice != nil || all[$0].kind == "veth" }
            let parameters = own.isEmpty ? [] : try ethtool.parameters(of: own.map { all[$0].index })
            for (place, parameters) in zip(own, parameters) { all[place].parameters = parameters }
        }
        records = all
    }

    /// Settings that only sysfs and calls of ioctl(2) have.
    private func recordFiles(_ records: inout [HostRecord]) throws(PodNetworkError) {
        for index in records.indices {
            let (name, isHardware) = (records[index].name, records[index].parentDevice != nil)
            do throws(SystemError) {
                records[index].sysfs = try ownSysfs?.settings(of: name, isHardware: isHardware)
                if isHardware { records[index].driverSettings = try drivers.calls(to: name).settings() }
            } catch { throw PodNetworkError(.refused, name, "read the settings of its driver", error) }
        }
    }

    /// RDMA in software on it, and its virtual functions.
    private func recordRDMA(_ records: inout [HostRecord]) throws(PodNetworkError) {
        let software = try Self.step(records[0].name, "look for software RDMA") { () throws(NetlinkError) in try softwareRDMA() }
        for index in records.indices {
            records[index].softwareRDMA = software[records[index].name]
            records[index].functions = try functions(of: records[index])
        }
    }

    /// Programs and interfaces that receive or change their packets.
    ///
    /// - Parameter canAsk: for each, true when it can be asked if something is stacked on it.
    private func recordHooks(_ records: inout [HostRecord], canAsk: [Bool]) throws(PodNetworkError) {
        for index in records.indices {
            do throws(SystemError) {
                let programs = try InterfaceHooks.programs(on: records[index].index)
                if !programs.isEmpty { records[index].hookPrograms = programs }
            } catch { throw PodNetworkError(.refused, records[index].name, "list programs (TCX)", error) }
        }
        let probed = records.indices.filter { canAsk[$0] }
        guard let first = probed.first, let upperProbe else { return }
        let indices = probed.map { records[$0].index }
        let answers = try Self.step(records[first].name, "look for interfaces on it") { () throws(NetlinkError) in
            try upperProbe.haveNoUpper(indices, socket)
        }
        for (index, answer) in zip(probed, answers) { records[index].hasNoUpper = answer }
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
