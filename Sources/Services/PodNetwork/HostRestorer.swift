// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

extension PodNetwork {
    /// Restores the recorded settings of interfaces that are on the host again.
    ///
    /// - Parameter moved: devices whose interface has come from the pod just now.
    /// - Returns: those that are not there, or could not be made what they were.
    func restoreOnHost(_ returns: [RestoreRequest], moved: Set<String> = [], waits: Bool = true) throws(PodNetworkError) -> [String:
        PodNetworkError]
    {
        var problems: [String: PodNetworkError] = [:]
        if let rdma = host.rdma, returns.contains(where: { $0.rdmaDevice != nil }) {
            let devices = try HostNetwork.step("*", "list RDMA devices") { () throws(NetlinkError) in try rdma.devices() }
            for entry in returns {
                // That in software is made again when its interface is back.
                guard let name = entry.rdmaDevice, devices[name] == nil, entry.record?.softwareRDMA == nil else { continue }
                problems[entry.device] = PodNetworkError(name, "find it on the host", "the RDMA device did not come back")
            }
        }
        let entries = returns.filter { $0.record != nil }
        guard !entries.isEmpty else { return problems }
        let messages = try HostNetwork.step(entries[0].label, "look for it on the host") { () throws(NetlinkError) in
            try host.socket.get(all: entries.map { .link(named: $0.record?.name ?? "") }, absent: [ENODEV])
        }
        var all: [Link]?
        var back: [Back] = []
        for (entry, message) in zip(entries, messages) {
            guard let record = entry.record else { continue }
            if let message, let link = Link(message), link.name == record.name, entry.isSame(link, record) || isRecorded(link, record) {
                if record.inode != nil, !isRecorded(link, record) {
                    problems[entry.device] = try refuseStandIn(link, record, isFromPod: moved.contains(entry.device))
                    continue
                }
                back.append(Back(entry: entry, record: record, link: link, settings: LinkSettings(message)))
                continue
            }
            if all == nil {
                all = try HostNetwork.step(entry.label, "look for it on the host") { () throws(NetlinkError) in try host.socket.links() }
            }
            // A pod can change the address of a virtual one while it is moved; its inode stays.
            let found = record.inode == nil ? entry.findOnHost(all ?? []) : (all ?? []).first { isRecorded($0, record) }
            guard let link = found else {
                problems[entry.device] = PodNetworkError(record.name, "find it on the host", "it did not come back")
                continue
            }
            back.append(Back(entry: entry, record: record, link: link, settings: nil))
        }
        for error in try makeAsTheyWere(&back, waits: waits) where problems[error.device]?.isPending != false {
            problems[error.device] = error.error
        }
        return problems
    }

    /// True for the virtual interface that was recorded, by what no other one has and nobody can change.
    private func isRecorded(_ link: Link, _ record: HostRecord) -> Bool {
        guard let inode = record.inode, link.kind == record.kind else { return false }
        return host.ownSysfs?.inode(of: link.name) == inode
    }

    /// An interface that has all of the recorded one but its identity. One from the pod was made there, and does not stay on the host.
    private func refuseStandIn(_ link: Link, _ record: HostRecord, isFromPod: Bool) throws(PodNetworkError) -> PodNetworkError {
        guard isFromPod else { return PodNetworkError(record.name, "find it on the host", "another interface has its name and address") }
        try HostNetwork.step(record.name, "delete what the pod had put in its place") { () throws(NetlinkError) in
            try host.socket.deleteLink(link.index)
        }
        return PodNetworkError(
            record.name, "find it on the host",
            "the pod had moved it away and put an interface of its own in its place; it returns when the namespace it is in has ended")
    }

    fileprivate struct Back {
        var entry: RestoreRequest
        var record: HostRecord
        var link: Link
        /// Nil when it was found by other means than its name; then it is looked at again.
        var settings: LinkSettings?
    }

    private func makeAsTheyWere(_ back: inout [Back], waits: Bool) throws(PodNetworkError) -> [(device: String, error: PodNetworkError)] {
        var problems: [(device: String, error: PodNetworkError)] = []
        func run(_ steps: [(back: Back, request: NetlinkRequest, isNeeded: Bool)]) throws(PodNetworkError) {
            guard let first = steps.first else { return }
            let failures = try HostNetwork.step(first.back.record.name, "make it what it was") { () throws(NetlinkError) in
                try host.socket.execute(all: steps.map(\.request))
            }
            for failure in failures where steps[failure.index].isNeeded {
                let step = steps[failure.index]
                problems.append(
                    (step.back.entry.device, PodNetworkError(step.back.record.name, "make it what it was", failure.error)))
            }
        }
        // The name, the link's own values and its flags.
        var steps: [(back: Back, request: NetlinkRequest, isNeeded: Bool)] = []
        for index in back.indices where back[index].settings == nil {
            let item = back[index]
            let name = LinkChange(name: item.record.name)
            // Names of interfaces that are up are refused by older kernels.
            if item.link.isUp { steps.append((item, .change(item.link.index, LinkChange(isUp: false), "bring it down"), true)) }
            if item.link.name != item.record.name {
                // It can have the name of another interface that is to come back, which has its own: neither may wait for the other.
                // Hardware is known by more than its name.
                if item.link.kind == nil, item.record.permanentAddress != nil {
                    let other = LinkChange(name: "back-" + String(UInt32.random(in: 0 ... .max), radix: 16))
                    steps.append((item, .change(item.link.index, other, "call it something else first"), true))
                }
                steps.append((item, .change(item.link.index, name, "call it \(item.record.name)"), true))
            }
        }
        try run(steps)
        for index in back.indices where back[index].settings == nil {
            guard let (link, settings) = try look(at: back[index]) else { continue }
            back[index].link = link
            back[index].settings = settings
        }
        let items = back.map { InterfaceCleaner.Item(device: $0.entry.device, record: $0.record, link: $0.link) }
        problems += InterfaceCleaner(socket: host.socket).clean(items).map { ($0.key, $0.value) }
        try lookForUppers(back, &problems)
        steps = back.flatMap { item in item.changes.map { (item, $0, true) } }
        try run(steps)
        // The kernel has taken IPv6 off an interface whose MTU a pod made less than IPV6_MIN_MTU, and puts it on anew with the MTU.
        for index in back.indices where back[index].settings?.ipv6.isEmpty == true && back[index].record.settings?.ipv6.isEmpty == false {
            if let (_, settings) = try look(at: back[index]) { back[index].settings = settings }
        }
        for item in back { restoreSettings(item, &problems) }
        // Rules and tables can keep a driver from taking other numbers of queues back, and what is left of them has to wait for those.
        for item in back {
            if let settings = item.record.driverSettings { try? host.drivers.calls(to: item.link.name).prepare(settings) }
        }
        try restoreFeatures(back, &problems)
        // What it has: the kernel lists IPv6 addresses the newest first.
        steps = []
        for item in back {
            let passed = max(0, HostNetwork.secondsSinceBoot() - (item.record.recordedAt ?? HostNetwork.secondsSinceBoot()))
            let addresses = item.record.addresses.compactMap { $0.after(seconds: passed, on: item.link.index) }
            for address in addresses.filter({ !$0.prefix.address.isV6 }) + addresses.filter(\.prefix.address.isV6).reversed() {
                steps.append((item, .set(address), true))
            }
            steps.append((item, .change(item.link.index, LinkChange(isUp: item.record.isUp), "set it up or down as it was"), true))
        }
        let routes = back.filter(\.record.isUp).flatMap { item in
            item.record.routes.map { route in
                var route = route
                if route.interface == item.record.index { route.interface = item.link.index }
                return (item, route)
            }
        }
        for (item, route) in routes.filter({ $0.1.gateway == nil }) + routes.filter({ $0.1.gateway != nil }) {
            // One with several next hops comes back with the last of them.
            steps.append((item, .set(route), route.nextHops == nil))
        }
        for item in back {
            for var neighbour in item.record.neighbours {
                neighbour.index = item.link.index
                steps.append((item, .set(neighbour), true))
            }
        }
        let queueing = back.contains { !$0.record.queueing.isEmpty } ? try queueingDisciplines(of: back) : [:]
        for item in back where queueing[item.link.index] ?? [] != item.record.queueing {
            for discipline in item.record.queueing { steps.append((item, .set(discipline, of: item.link.index), true)) }
        }
        try run(steps)
        for item in back { restoreDriverSettings(item, &problems) }
        for item in back { restoreSysfs(item, &problems) }
        let software = back.compactMap { item in item.record.softwareRDMA.map { (device: $0, item: item) } }
        for (device, item) in software.sorted(by: { $0.device.nodeNumber < $1.device.nodeNumber }) {
            do throws(PodNetworkError) { try host.remakeOnHost(device, over: item.record.name) } catch {
                problems.append((item.entry.device, error))
            }
        }
        for item in back {
            do throws(PodNetworkError) { try host.restoreFunctions(of: item.record) } catch { problems.append((item.entry.device, error)) }
        }
        try lookForVLANs(back, waits: waits, &problems)
        return problems
    }

    /// Reads an interface that has its name again; nil when it is not there.
    private func look(at item: Back) throws(PodNetworkError) -> (Link, LinkSettings?)? {
        let name = item.record.name
        let message =
            try HostNetwork.step(name, "look at it") { () throws(NetlinkError) in
                try host.socket.get(all: [.link(named: name)], absent: [ENODEV])
            }.first ?? nil
        guard let message, let link = Link(message) else { return nil }
        return (link, LinkSettings(message))
    }

    /// What a pod stacked on an interface and then hid in a namespace that this process does not know would read the next pod's packets.
    private func lookForUppers(_ back: [Back], _ problems: inout [(device: String, error: PodNetworkError)]) throws(PodNetworkError) {
        let asked = back.filter { $0.record.hasNoUpper == true && UpperProbe.canAsk($0.link) }
        guard !asked.isEmpty, let upperProbe = host.upperProbe else { return }
        let answers = try HostNetwork.step(asked[0].record.name, "look for interfaces on it") { () throws(NetlinkError) in
            try upperProbe.haveNoUpper(asked.map(\.link.index), host.socket)
        }
        for (item, answer) in zip(asked, answers) where answer != true {
            let reason =
                "an interface of another network namespace is stacked on it and receives its packets; end the processes of the pod that hold that namespace"
            problems.append((item.entry.device, PodNetworkError(item.record.name, "look for interfaces on it", reason)))
        }
    }

    /// VLANs in namespaces that this process does not know. Last: a pod can have set the MTU that the search goes by.
    private func lookForVLANs(
        _ back: [Back], waits: Bool, _ problems: inout [(device: String, error: PodNetworkError)]
    ) throws(PodNetworkError) {
        let asked = back.filter { VLANSearch.canAsk($0.link, mtu: $0.record.mtu) }
        guard VLANSearch.isNeeded, !asked.isEmpty, let search = host.vlanSearch else { return }
        let verdicts = try HostNetwork.step(asked[0].record.name, "look for VLANs on it") { () throws(NetlinkError) in
            try search.verdicts(asked.map(\.link.index), host.socket, waits: waits)
        }
        for (item, verdict) in zip(asked, verdicts) {
            var problem = PodNetworkError(item.record.name, "look for VLANs on it", "the search takes its time")
            switch verdict {
            case .none: continue
            case .pending: problem.isPending = true
            case .found(let tags):
                let list = tags.prefix(8).map(\.description).joined(separator: ", ") + (tags.count > 8 ? " and \(tags.count - 8) more" : "")
                problem.reason =
                    "VLAN \(list) of another network namespace is stacked on it and sends and receives with it; end the processes of the pod that hold that namespace"
            }
            problems.append((item.entry.device, problem))
        }
    }

    private func queueingDisciplines(of back: [Back]) throws(PodNetworkError) -> [Int32: [QueueingDiscipline]] {
        try HostNetwork.step(back[0].record.name, "look at its queueing discipline") { () throws(NetlinkError) in
            try host.socket.queueingDisciplines(of: back.map(\.link.index))
        }
    }

    /// IPv6 settings have no message of rtnetlink: they are files, and this thread is on the host.
    private func restoreSettings(_ item: Back, _ problems: inout [(device: String, error: PodNetworkError)]) {
        guard let now = item.settings, let before = item.record.settings else { return }
        for (name, value) in before.ipv6Missing(from: now) {
            do throws(SystemError) {
                try Files.overwrite("\(sysctls)/net/ipv6/conf/\(item.record.name)/\(name)", String(value))
            } catch {
                problems.append((item.entry.device, PodNetworkError(item.record.name, "restore IPv6 setting \(name)", error)))
            }
        }
    }

    /// Last, when the interface is up or down as it was: a driver may take or tell some of it only then.
    private func restoreDriverSettings(_ item: Back, _ problems: inout [(device: String, error: PodNetworkError)]) {
        guard let settings = item.record.driverSettings else { return }
        var refused: [String] = []
        do throws(SystemError) { refused = try host.drivers.calls(to: item.link.name).restore(settings) } catch { refused = ["\(error)"] }
        guard !refused.isEmpty else { return }
        let reason = refused.joined(separator: "; ")
        // Of several problems of a device the first is told; so one of its other parameters has this with it.
        if let place = problems.firstIndex(where: { $0.device == item.entry.device && $0.error.step == Self.driverStep }) {
            problems[place].error.reason += "; " + reason
        } else {
            problems.append((item.entry.device, PodNetworkError(item.record.name, Self.driverStep, reason)))
        }
    }

    /// After the driver's settings: drivers spread queues over processors anew when the number of queues changes.
    private func restoreSysfs(_ item: Back, _ problems: inout [(device: String, error: PodNetworkError)]) {
        guard let settings = item.record.sysfs, let sysfs = host.ownSysfs else { return }
        var refused: [String] = []
        do throws(SystemError) {
            refused = try sysfs.restore(settings, of: item.record.name, isHardware: item.record.parentDevice != nil)
        } catch { refused = ["\(error)"] }
        guard !refused.isEmpty else { return }
        problems.append(
            (item.entry.device, PodNetworkError(item.record.name, "restore its settings in sysfs", refused.joined(separator: "; "))))
    }

    private static let driverStep = "restore what its driver was told"

    private func restoreFeatures(
        _ back: [Back], _ problems: inout [(device: String, error: PodNetworkError)]
    ) throws(PodNetworkError) {
        guard let ethtool = host.ethtool else { return }
        let told = back.compactMap { item in item.record.parameters.map { (item: item, parameters: $0) } }
        if !told.isEmpty {
            let now = try HostNetwork.step(told[0].item.record.name, "read what its driver was told") { () throws(NetlinkError) in
                try ethtool.parameters(of: told.map(\.item.link.index))
            }
            for (entry, now) in zip(told, now) {
                do throws(NetlinkError) { try ethtool.restore(entry.parameters, now: now, of: entry.item.link.index) } catch {
                    problems.append(
                        (entry.item.entry.device, PodNetworkError(entry.item.record.name, Self.driverStep, error)))
                }
            }
        }
        for list in [Ethtool.BitList.features, .privateFlags] {
            let recorded = back.compactMap { item in
                (list == .features ? item.record.features : item.record.privateFlags).map { (item: item, bits: $0) }
            }
            guard !recorded.isEmpty else { continue }
            let now = try HostNetwork.step(recorded[0].item.record.name, "read its features") { () throws(NetlinkError) in
                try ethtool.wantedBits(list, of: recorded.map(\.item.link.index))
            }
            for (entry, now) in zip(recorded, now) where now != entry.bits {
                do throws(NetlinkError) { try ethtool.restore(list, entry.bits, now: now, of: entry.item.link.index) } catch {
                    problems.append((entry.item.entry.device, PodNetworkError(entry.item.record.name, "restore its features", error)))
                }
            }
        }
    }
}

extension PodNetwork.Back {
    /// What has to change on the link itself.
    fileprivate var changes: [NetlinkRequest] {
        var requests: [NetlinkRequest] = []
        var change = LinkChange()
        if link.mtu != record.mtu { change.mtu = record.mtu }
        if link.address != record.hardwareAddress { change.address = record.hardwareAddress }
        if (link.alias ?? "") != (record.alias ?? "") { change.alias = record.alias ?? "" }
        if let now = settings, let before = record.settings {
            if now.txQueueLength != before.txQueueLength { change.txQueueLength = before.txQueueLength }
            if now.group != before.group { change.group = before.group }
            if now.flags != before.flags { change.flags = .init(before.flags, mask: now.flags ^ before.flags) }
            change.sizes = before.sizes.missing(from: now.sizes)
            change.ipv4 = before.ipv4Missing(from: now)
        }
        if change.address != nil, link.isUp {
            // Addresses of an interface that is up are refused by some drivers.
            requests.append(.change(link.index, LinkChange(isUp: false), "bring it down"))
        }
        if !change.isEmpty { requests.append(.change(link.index, change, "restore its values")) }
        let names = record.alternativeNames.filter { !link.alternativeNames.contains($0) }
        if !names.isEmpty { requests.append(.addAlternativeNames(names, to: link.index)) }
        requests += record.neighbourSettings.map { .set($0, of: link.index) }
        return requests
    }
}

extension InterfaceAddress {
    /// The address as it is after a while: nil when its time is over.
    fileprivate func after(seconds: Int, on index: Int32) -> InterfaceAddress? {
        var address = self
        address.index = index
        func left(_ lifetime: UInt32?) -> UInt32? { lifetime.map { $0 > UInt32(clamping: seconds) ? $0 - UInt32(clamping: seconds) : 0 } }
        address.validLifetime = left(validLifetime)
        address.preferredLifetime = left(preferredLifetime)
        return address.validLifetime == 0 ? nil : address
    }
}
