// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// Restores the recorded configuration of interfaces that are on the host again: each step does for all of them what differs from their
/// records.
struct HostRestorer {
    let host: HostNetwork
    /// The folder of sysctls, which act on the namespace of the calling thread.
    let sysctls: String
    /// Devices whose interface has come from the pod just now.
    var moved: Set<String> = []
    /// False to report a long search as pending rather than to wait for its end.
    var waits = true
    var items: [Item] = []
    var problems = DeviceProblems()

    /// An interface that was found on the host.
    struct Item {
        var device: String
        var record: HostRecord
        var link: Link
        /// Nil when it was found by other means than its name; then it is read again.
        var settings: LinkSettings?

        var name: String { record.name }

        func step(_ name: String, _ request: NetlinkRequest, harmless: [Int32] = []) -> Step {
            Step(device: device, object: record.name, name: name, request: request, harmless: harmless)
        }
    }

    /// The steps of a restore, in the order in which they are done.
    enum Phase: CaseIterable {
        case names
        /// Removes what the pod has attached to the interfaces.
        case cleaning
        case upperInterfaces
        case linkSettings
        /// Settings without a message of rtnetlink.
        case ipv6Settings
        /// Rules and tables can keep a driver from taking other numbers of queues back; what is left of them has to wait for those.
        case driverPreparation
        case driverParameters
        case features
        case addressesAndRoutes
        /// When the interface is up or down as recorded: a driver may take or report some of it only then.
        case driverSettings
        /// Drivers spread queues over processors anew when the number of queues changes.
        case sysfsSettings
        case softwareRDMA
        case virtualFunctions
        /// A pod can have set the MTU that the search goes by.
        case vlans
    }

    /// - Returns: the first problem of each device that is not there, or differs from its record afterwards.
    mutating func restore(_ requests: [PodNetwork.RestoreRequest]) throws(PodNetworkError) -> [String: PodNetworkError] {
        try findRDMADevices(requests)
        try findInterfaces(requests.filter { $0.record != nil })
        guard !items.isEmpty else { return problems.byDevice }
        for phase in Phase.allCases { try perform(phase) }
        return problems.byDevice
    }

    private mutating func perform(_ phase: Phase) throws(PodNetworkError) {
        switch phase {
        case .names: try restoreNames()
        case .cleaning: clean()
        case .upperInterfaces: try findUpperInterfaces()
        case .linkSettings: try restoreLinkSettings()
        case .ipv6Settings: restoreIPv6Settings()
        case .driverPreparation: prepareDrivers()
        case .driverParameters: try restoreDriverParameters()
        case .features: for list in [Ethtool.BitList.features, .privateFlags] { try restoreBits(list) }
        case .addressesAndRoutes: try restoreAddressesAndRoutes()
        case .driverSettings: restoreDriverSettings()
        case .sysfsSettings: restoreSysfsSettings()
        case .softwareRDMA: restoreSoftwareRDMA()
        case .virtualFunctions: restoreVirtualFunctions()
        case .vlans: try findVLANs()
        }
    }

    private mutating func restoreVirtualFunctions() {
        for item in items {
            do throws(PodNetworkError) { try host.restoreFunctions(of: item.record) } catch { problems.add(error, to: item.device) }
        }
    }

    mutating func execute(_ steps: [Step]) throws(PodNetworkError) {
        for failure in try host.socket.execute(steps) { problems.add(failure.error, to: failure.step.device) }
    }

    // MARK: Find

    private mutating func findRDMADevices(_ requests: [PodNetwork.RestoreRequest]) throws(PodNetworkError) {
        guard let rdma = host.rdma, requests.contains(where: { $0.rdmaDevice != nil }) else { return }
        let devices = try HostNetwork.step("host", "list RDMA devices") { () throws(NetlinkError) in try rdma.devices() }
        for request in requests {
            // That in software is made again when its interface is back.
            guard let name = request.rdmaDevice, devices[name] == nil, request.record?.softwareRDMA == nil else { continue }
            problems.add(PodNetworkError(.missing, name, "restore", "the RDMA device is not on the host"), to: request.device)
        }
    }

    private mutating func findInterfaces(_ requests: [PodNetwork.RestoreRequest]) throws(PodNetworkError) {
        guard let first = requests.first else { return }
        let messages = try HostNetwork.step(first.label, "look it up on the host") { () throws(NetlinkError) in
            try host.socket.get(all: requests.map { .link(named: $0.record?.name ?? "") }, absent: [ENODEV])
        }
        var all: [Link]?
        for (request, message) in zip(requests, messages) {
            guard let record = request.record else { continue }
            if let message, let link = Link(message), link.name == record.name, request.isSame(link, record) || isRecorded(link, record) {
                if record.inode != nil, !isRecorded(link, record) {
                    problems.add(try refuseStandIn(link, record, isFromPod: moved.contains(request.device)), to: request.device)
                } else {
                    items.append(Item(device: request.device, record: record, link: link, settings: LinkSettings(message)))
                }
                continue
            }
            if all == nil {
                all = try HostNetwork.step(request.label, "look it up on the host") { () throws(NetlinkError) in try host.socket.links() }
            }
            // A pod can change the address of a virtual one while it is moved; its inode stays.
            let found = record.inode == nil ? request.findOnHost(all ?? []) : (all ?? []).first { isRecorded($0, record) }
            if let found {
                items.append(Item(device: request.device, record: record, link: found, settings: nil))
            } else {
                problems.add(PodNetworkError(.missing, record.name, "restore", "the interface is not on the host"), to: request.device)
            }
        }
    }

    /// True for the virtual interface that was recorded, by the inode of its folder, which no other one has and no process can change.
    private func isRecorded(_ link: Link, _ record: HostRecord) -> Bool {
        guard let inode = record.inode, link.kind == record.kind else { return false }
        return host.ownSysfs?.inode(of: link.name) == inode
    }

    /// Refuses an interface that has all of the recorded one but its identity. One from the pod was made there, and is deleted.
    private func refuseStandIn(_ link: Link, _ record: HostRecord, isFromPod: Bool) throws(PodNetworkError) -> PodNetworkError {
        guard isFromPod else {
            return PodNetworkError(.otherDevice, record.name, "restore", "another interface has its name and address")
        }
        try HostNetwork.step(record.name, "delete the interface that the pod had put in its place") { () throws(NetlinkError) in
            try host.socket.deleteLink(link.index)
        }
        return PodNetworkError(
            .otherDevice, record.name, "restore",
            "the pod had moved it away and put an interface of its own in its place; it returns when the namespace it is in has ended")
    }

    /// Reads an interface that has its name again; nil when it is not there.
    private func read(_ item: Item) throws(PodNetworkError) -> (Link, LinkSettings?)? {
        let message =
            try HostNetwork.step(item.name, "read it") { () throws(NetlinkError) in
                try host.socket.get(all: [.link(named: item.name)], absent: [ENODEV])
            }.first ?? nil
        guard let message, let link = Link(message) else { return nil }
        return (link, LinkSettings(message))
    }

    // MARK: The link

    private mutating func restoreNames() throws(PodNetworkError) {
        let unnamed = items.indices.filter { items[$0].settings == nil }
        try execute(unnamed.flatMap { items[$0].nameSteps })
        for index in unnamed {
            guard let (link, settings) = try read(items[index]) else { continue }
            items[index].link = link
            items[index].settings = settings
        }
    }

    private mutating func clean() {
        let cleaner = InterfaceCleaner(socket: host.socket)
        let found = cleaner.clean(items.map { InterfaceCleaner.Item(device: $0.device, record: $0.record, link: $0.link) })
        for (device, error) in found { problems.add(error, to: device) }
    }

    private mutating func restoreLinkSettings() throws(PodNetworkError) {
        try execute(items.flatMap(\.linkSteps))
        // The kernel has taken IPv6 off an interface whose MTU a pod made less than IPV6_MIN_MTU, and puts it on anew with the MTU.
        for index in items.indices where items[index].settings?.ipv6.isEmpty == true && items[index].record.settings?.ipv6.isEmpty == false
        {
            if let (_, settings) = try read(items[index]) { items[index].settings = settings }
        }
    }

    private mutating func restoreIPv6Settings() {
        for item in items {
            guard let now = item.settings, let before = item.record.settings else { continue }
            for (name, value) in before.ipv6Missing(from: now) {
                do throws(SystemError) {
                    try Files.overwrite("\(sysctls)/net/ipv6/conf/\(item.name)/\(name)", String(value))
                } catch { problems.add(PodNetworkError(.refused, item.name, "restore IPv6 setting \(name)", error), to: item.device) }
            }
        }
    }
}

extension HostRestorer.Item {
    /// The steps by which an interface that was not found by its name gets it back.
    fileprivate var nameSteps: [Step] {
        var steps: [Step] = []
        // Names of interfaces that are up are refused by older kernels.
        if link.isUp { steps.append(step("bring it down", .change(link.index, LinkChange(isUp: false), "bring it down"))) }
        guard link.name != record.name else { return steps }
        // It can have the name of another interface that is restored too, which has its own: neither may wait for the other.
        // Hardware is known by more than its name.
        if link.kind == nil, record.permanentAddress != nil {
            let other = LinkChange(name: "back-" + String(UInt32.random(in: 0 ... .max), radix: 16))
            steps.append(step("restore its name", .change(link.index, other, "free its name")))
        }
        steps.append(step("restore its name", .change(link.index, LinkChange(name: record.name), "rename it to \(record.name)")))
        return steps
    }

    /// The steps that restore what differs of the link itself.
    fileprivate var linkSteps: [Step] {
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
        return requests.map { step("restore its settings", $0) }
    }
}
