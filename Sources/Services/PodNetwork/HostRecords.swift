// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// Reads interfaces of the host before they move into a pod.
extension HostNetwork {
    /// Records of interfaces, and the host's tables that were read with them.
    struct Records {
        var interfaces: [HostRecord] = []
        /// Nil if no interface moves.
        var routing: HostRouting?
    }

    /// Reads interfaces on which a pod's interfaces are stacked.
    func parents(_ names: [String]) throws(PodNetworkError) -> [HostRecord] {
        try links(names).map { record($0.link, $0.message) }
    }

    /// Reads interfaces that move, with all settings that a move loses or a pod can change.
    ///
    /// - Throws: if an interface is missing, cannot move, or has a setting that could not be restored.
    func records(_ names: [String]) throws(PodNetworkError) -> Records {
        let links = try links(names)
        guard !links.isEmpty else { return Records() }
        for (link, _) in links {
            guard let master = link.master else { continue }
            throw PodNetworkError(
                .notMovable, link.name, "take from the host",
                "the interface is a port of \(master), a bridge, bond or VRF; remove it from there first")
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
        let step = "read on the host"
        let messages = try Self.step(first, step) { () throws(NetlinkError) in
            try socket.get(all: names.map(NetlinkRequest.link), absent: [ENODEV])
        }
        var links: [(Link, Message)] = []
        for (name, message) in zip(names, messages) {
            guard let message, let link = Link(message) else { throw PodNetworkError(.missing, name, step, "the interface does not exist") }
            guard link.name == name else { throw PodNetworkError(.otherDevice, name, step, "the interface is named \(link.name) now") }
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
        let routing = try Self.step(records[0].name, "read addresses and routes") { () throws(NetlinkError) in
            let routing = try socket.hostRouting(of: Set(indices))
            let settings = try socket.neighbourSettings()
            let queueing = try socket.queueingDisciplines(of: indices)
            for place in all.indices {
                let index = all[place].index
                all[place].addresses = routing.addresses.filter { $0.index == index }
                all[place].routes = routing.completeRoutes.filter { $0.interfaces.contains(index) && !$0.isKernels }
                all[place].rules = routing.rules.filter(all[place].owns)
                // One dump for each interface, because a host can have far more neighbours on others.
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
                .notMovable, record.name, "take from the host",
                "its queueing discipline was set to \(lost.kind), whose classes and filters would be lost in the move; delete it first (tc qdisc del dev \(record.name) root)"
            )
        }
    }

    /// Features, private flags and parameters, over ethtool netlink.
    private func recordEthtool(_ records: inout [HostRecord]) throws(PodNetworkError) {
        guard let ethtool else { return }
        var all = records
        try Self.step(records[0].name, "read features and driver settings") { () throws(NetlinkError) in
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

    /// Settings that only sysfs and ioctl(2) provide.
    private func recordFiles(_ records: inout [HostRecord]) throws(PodNetworkError) {
        for index in records.indices {
            let (name, isHardware) = (records[index].name, records[index].parentDevice != nil)
            do throws(SystemError) {
                records[index].sysfs = try ownSysfs?.settings(of: name, isHardware: isHardware)
                if isHardware { records[index].driverSettings = try drivers.calls(to: name).settings() }
            } catch { throw PodNetworkError(.refused, name, "read driver settings", error) }
        }
    }

    /// Software RDMA on the interface, and its virtual functions.
    private func recordRDMA(_ records: inout [HostRecord]) throws(PodNetworkError) {
        let software = try Self.step(records[0].name, "list software RDMA devices") { () throws(NetlinkError) in try softwareRDMA() }
        for index in records.indices {
            records[index].softwareRDMA = software[records[index].name]
            records[index].functions = try functions(of: records[index])
        }
    }

    /// Programs and interfaces that receive or change the interface's packets.
    ///
    /// - Parameter canAsk: for each interface, true if the probe for upper interfaces supports it.
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
        let answers = try Self.step(records[first].name, "probe for upper interfaces") { () throws(NetlinkError) in
            try upperProbe.haveNoUpper(indices, socket)
        }
        for (index, answer) in zip(probed, answers) { records[index].hasNoUpper = answer }
    }
}

extension HostRecord {
    /// True for a rule that applies only to this interface: it names the interface, or selects the interface's own addresses, and its
    /// table has routes of the interface. Only such a rule has the same meaning in a pod.
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
