// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// Restores the recorded configuration of interfaces that are back on the host. Each step handles all interfaces, and changes only
/// settings that differ from the record.
struct HostRestorer {
    let host: HostNetwork
    /// The folder of sysctls, which apply to the calling thread's namespace.
    let sysctls: String
    /// Devices whose interface has just moved back from the pod.
    var moved: Set<String> = []
    /// False to report a long search as pending instead of waiting for its end.
    var waits = true
    var items: [Item] = []
    var problems = DeviceProblems()

    /// A recorded interface that was found on the host.
    struct Item {
        var device: String
        var record: HostRecord
        var link: Link
        /// Nil if the interface was found by other properties than its name; then it is read again.
        var settings: LinkSettings?

        var name: String { record.name }

        func step(_ name: String, _ request: NetlinkRequest, harmless: [Int32] = []) -> Step {
            Step(device: device, object: record.name, name: name, request: request, harmless: harmless)
        }
    }

    /// The steps of a restore, in their order.
    enum Phase: CaseIterable {
        case names
        /// Removes programs, upper interfaces and settings that the pod left on the interfaces.
        case cleaning
        case upperInterfaces
        case linkSettings
        /// IPv6 settings that rtnetlink cannot set.
        case ipv6Settings
        /// Flow rules and tables can make a driver refuse the recorded number of queues; they are reduced first.
        case driverPreparation
        case driverParameters
        case features
        case addressesAndRoutes
        /// Requires that the interface is up; the kernel does not report this state earlier.
        case operationalState
        /// Follows the administrative state: some drivers accept or report settings only while up, or only while down.
        case driverSettings
        /// Follows the number of queues: drivers spread queues over processors again when it changes.
        case sysfsSettings
        case softwareRDMA
        case virtualFunctions
        /// Follows the MTU, on which the search depends and which the pod can have changed.
        case vlans
    }

    /// - Returns: the first problem of each device that is missing or differs from its record afterwards.
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
        case .operationalState: try restoreOperationalState()
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
            // A software RDMA device is recreated once its interface is back.
            guard let name = request.rdmaDevice, devices[name] == nil, request.record?.softwareRDMA == nil else { continue }
            problems.add(PodNetworkError(.missing, name, "restore", "the RDMA device is not on the host"), to: request.device)
        }
    }

    private mutating func findInterfaces(_ requests: [PodNetwork.RestoreRequest]) throws(PodNetworkError) {
        guard let first = requests.first else { return }
        let messages = try HostNetwork.step(first.label, "look up on the host") { () throws(NetlinkError) in
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
                all = try HostNetwork.step(request.label, "look up on the host") { () throws(NetlinkError) in try host.socket.links() }
            }
            // A pod can change the address of a virtual interface while it moves, but not its inode.
            let found = record.inode == nil ? request.findOnHost(all ?? []) : (all ?? []).first { isRecorded($0, record) }
            if let found {
                items.append(Item(device: request.device, record: record, link: found, settings: nil))
            } else {
                problems.add(PodNetworkError(.missing, record.name, "restore", "the interface is not on the host"), to: request.device)
            }
        }
    }

    /// True for the recorded virtual interface, identified by the inode of its folder, which is unique and which no process can change.
    private func isRecorded(_ link: Link, _ record: HostRecord) -> Bool {
        guard let inode = record.inode, link.kind == record.kind else { return false }
        return host.ownSysfs?.inode(of: link.name) == inode
    }

    /// Refuses an interface with the name and address, but not the identity, of the recorded one. If it came from the pod, it was created
    /// there and is deleted.
    private func refuseStandIn(_ link: Link, _ record: HostRecord, isFromPod: Bool) throws(PodNetworkError) -> PodNetworkError {
        guard isFromPod else {
            return PodNetworkError(.otherDevice, record.name, "restore", "another interface has the recorded name and address")
        }
        try HostNetwork.step(record.name, "delete the substitute that the pod created") { () throws(NetlinkError) in
            try host.socket.deleteLink(link.index)
        }
        return PodNetworkError(
            .otherDevice, record.name, "restore",
            "the pod moved the interface to another network namespace and created a substitute; the interface returns when that namespace ends"
        )
    }

    /// Reads an interface by its restored name; nil if it does not exist.
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
        // The kernel removes IPv6 from an interface while its MTU is below IPV6_MIN_MTU, and initialises it again with the MTU.
        for index in items.indices where items[index].settings?.ipv6.isEmpty == true && items[index].record.settings?.ipv6.isEmpty == false
        {
            if let (_, settings) = try read(items[index]) { items[index].settings = settings }
        }
    }

    /// Ends the operational state dormant. An interface keeps it if its carrier changed while the pod had set the link mode to dormant, and
    /// does not change again.
    private mutating func restoreOperationalState() throws(PodNetworkError) {
        let meant = items.filter { $0.record.isUp && $0.record.linkMode ?? 0 == 0 }
        guard let first = meant.first else { return }
        let messages = try HostNetwork.step(first.name, "read its operational state") { () throws(NetlinkError) in
            try host.socket.get(all: meant.map { .link(named: $0.name) }, absent: [ENODEV])
        }
        var change = LinkChange()
        change.isOperational = true
        let name = "restore its operational state"
        try execute(
            zip(meant, messages).compactMap { item, message in
                guard let link = message.flatMap(Link.init), link.index == item.link.index, link.state == "dormant" else { return nil }
                return item.step(name, .change(link.index, change, name))
            })
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
    /// The steps that restore the name of an interface that was found by other properties.
    fileprivate var nameSteps: [Step] {
        var steps: [Step] = []
        // Older kernels refuse to rename an interface that is up.
        if link.isUp { steps.append(step("bring down", .change(link.index, LinkChange(isUp: false), "bring down"))) }
        let temporary = "back-" + String(UInt32.random(in: 0 ... .max), radix: 16)
        return steps
            + record.names(for: link, temporary: temporary).map { name in
                step("restore the name", .change(link.index, LinkChange(name: name), "rename to \(name)"))
            }
    }

    /// The steps that restore differing settings of the link.
    fileprivate var linkSteps: [Step] {
        var requests: [NetlinkRequest] = []
        let change = record.change(from: link, settings)
        if change.address != nil, link.isUp {
            // Some drivers refuse a new address while the interface is up.
            requests.append(.change(link.index, LinkChange(isUp: false), "bring down"))
        }
        if !change.isEmpty { requests.append(.change(link.index, change, "restore link settings")) }
        let names = record.alternativeNames.filter { !link.alternativeNames.contains($0) }
        if !names.isEmpty { requests.append(.addAlternativeNames(names, to: link.index)) }
        requests += record.neighbourSettings.map { .set($0, of: link.index) }
        return requests.map { step("restore settings", $0) }
    }
}
