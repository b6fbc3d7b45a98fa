// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// What happens to interfaces inside the pod's namespace, on the thread that is in it.
struct PodConfigurator {
    let socket: NetlinkSocket
    let ethtool: Ethtool?
    let sysctls: String

    /// A request, and what it is for.
    private struct Step {
        var interface: String
        var name: String
        var request: NetlinkRequest
        /// Errors that are no failure.
        var harmless: [Int32] = []
    }

    fileprivate struct Arrived {
        var order: PodNetwork.AttachRequest
        var plan: InterfacePlan
        var link: Link
    }

    func setUp(_ orders: [PodNetwork.AttachRequest]) throws(PodNetworkError) -> [PodNetwork.AttachedInterface] {
        try makeRoutingDomains(orders)
        let links = try orders.map(PodNetwork.RestoreRequest.init).links(socket).links
        var arrived: [Arrived] = []
        var steps: [Step] = []
        for order in orders {
            guard let plan = order.plan else { continue }
            guard let link = PodNetwork.RestoreRequest(order).find(in: links) else {
                throw PodNetworkError(order.label, "move into the pod", "the kernel reports success, but it is not there")
            }
            guard link.name == plan.name else {
                throw PodNetworkError(order.label, "call it \(plan.name)", "the kernel has called it \(link.name); use another name")
            }
            let here = Arrived(order: order, plan: plan, link: link)
            steps += try settings(here, links)
            arrived.append(here)
        }
        // Some things have no netlink message; they have to be set before the interface is up.
        if arrived.contains(where: { $0.plan.needsOtherMeans }) {
            try execute(steps)
            steps = []
            for here in arrived { try setByOtherMeans(here) }
        }
        let addresses: [[InterfaceAddress]] = arrived.map { self.addresses($0) }
        for (here, own) in zip(arrived, addresses) {
            for address in own { steps.append(Step(interface: here.order.label, name: "set an address", request: .set(address))) }
        }
        for here in arrived {
            steps.append(
                Step(
                    interface: here.order.label, name: "bring it up",
                    request: .change(here.link.index, LinkChange(isUp: true), "bring \(here.plan.name) up")))
        }
        // A gateway can be reached only over a route that is there already.
        for isBehindGateway in [false, true] {
            for here in arrived {
                for route in self.routes(here) where (route.gateway != nil) == isBehindGateway {
                    steps.append(Step(interface: here.order.label, name: "set a route", request: .set(route)))
                }
            }
        }
        for here in arrived {
            let label = here.order.label
            // Two interfaces can bring the same rule.
            for rule in self.rules(here) {
                steps.append(Step(interface: label, name: "add a rule", request: .add(rule), harmless: [EEXIST]))
            }
            for neighbour in self.neighbours(here) {
                steps.append(Step(interface: label, name: "set a neighbour", request: .set(neighbour)))
            }
        }
        try execute(steps)
        var results: [PodNetwork.AttachedInterface] = []
        var next = 0
        for order in orders {
            guard order.plan != nil else {
                results.append(PodNetwork.AttachedInterface(addresses: []))
                continue
            }
            let here = arrived[next]
            results.append(
                PodNetwork.AttachedInterface(
                    index: here.link.index, hardwareAddress: here.plan.hardwareAddress ?? here.link.address,
                    addresses: addresses[next].map(\.prefix)))
            next += 1
        }
        return results
    }

    private func execute(_ steps: [Step]) throws(PodNetworkError) {
        guard let first = steps.first else { return }
        let failures = try HostNetwork.step(first.interface, first.name) { () throws(NetlinkError) in
            try socket.execute(all: steps.map(\.request))
        }
        for failure in failures where !steps[failure.index].harmless.contains(failure.error.code) {
            throw PodNetworkError(steps[failure.index].interface, steps[failure.index].name, failure.error)
        }
    }

    // MARK: Before it is up

    private func makeRoutingDomains(_ orders: [PodNetwork.AttachRequest]) throws(PodNetworkError) {
        var steps: [Step] = []
        for order in orders {
            guard let vrf = order.plan?.vrf, !steps.contains(where: { $0.name == "make VRF \(vrf.name)" }) else { continue }
            let request = NetlinkRequest.addLink(vrf.name, kind: "vrf") { $0.attribute(Int(IFLA_VRF_TABLE), integer: vrf.table) }
            steps.append(Step(interface: order.label, name: "make VRF \(vrf.name)", request: request, harmless: [EEXIST]))
        }
        guard !steps.isEmpty else { return }
        try execute(steps)
        for name in ["tcp_l3mdev_accept", "udp_l3mdev_accept"] { try write("1", name, below: "net/ipv4", orders[0].label) }
    }

    /// What one message sets.
    private func settings(_ here: Arrived, _ links: [Link]) throws(PodNetworkError) -> [Step] {
        let (plan, link) = (here.plan, here.link)
        var change = LinkChange()
        if let mtu = plan.mtu.map({ UInt32(clamping: $0) }), mtu != link.mtu { change.mtu = mtu }
        if let address = plan.hardwareAddress, address != link.address { change.address = address }
        if let sizes = plan.sizes { change.sizes = sizes }
        for (path, value) in plan.sysctls ?? [:] {
            if let number = Self.number(ofSysctl: path), let value = UInt32(value) { change.ipv4[number] = value }
        }
        var steps: [Step] = []
        if plan.detachesPrograms == true {
            // There may be none, or none of that sort on this kernel.
            steps += NetlinkRequest.detachPrograms(from: link.index).map {
                Step(interface: here.order.label, name: "take programs off", request: $0, harmless: [EINVAL, ENOENT, EOPNOTSUPP])
            }
        }
        if let vrf = plan.vrf {
            guard let domain = links.first(where: { $0.name == vrf.name }), domain.kind == "vrf" else {
                throw PodNetworkError(here.order.label, "put it into VRF \(vrf.name)", "the pod has another interface of that name")
            }
            change.master = domain.index
            steps.append(
                Step(
                    interface: here.order.label, name: "bring up VRF \(vrf.name)",
                    request: .change(domain.index, LinkChange(isUp: true), "bring \(vrf.name) up")))
        }
        if !change.isEmpty {
            steps.append(
                Step(
                    interface: here.order.label, name: "set \(change.summary)",
                    request: .change(link.index, change, "set \(change.summary) on \(plan.name)")))
        }
        return steps
    }

    /// A setting that rtnetlink can set.
    fileprivate static func number(ofSysctl path: String) -> Int? {
        let prefix = "ipv4/conf/"
        return path.hasPrefix(prefix) ? InterfaceSettings.ipv4[String(path.dropFirst(prefix.count))] : nil
    }

    private func setByOtherMeans(_ here: Arrived) throws(PodNetworkError) {
        let (plan, label) = (here.plan, here.order.label)
        if plan.detachesPrograms == true {
            do throws(SystemError) { try InterfaceHooks.detachAll(from: here.link.index) } catch {
                throw PodNetworkError(label, "take programs off", error)
            }
        }
        for (path, value) in (plan.sysctls ?? [:]).sorted(by: { $0.key < $1.key }) where !plan.isSetByMessage(path, value) {
            // `ipv6/conf/accept_ra` is the file net/ipv6/conf/IF/accept_ra.
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, ["ipv4", "ipv6"].contains(parts[0]), ["conf", "neigh"].contains(parts[1]) else {
                throw PodNetworkError(label, "set sysctl \(path)", "it is no path FAMILY/conf/NAME or FAMILY/neigh/NAME")
            }
            try write(value, "\(plan.name)/\(parts[2])", below: "net/\(parts[0])/\(parts[1])", label)
        }
        for (list, bits) in [(Ethtool.BitList.features, plan.features), (.privateFlags, plan.privateFlags)] {
            guard let bits, !bits.isEmpty else { continue }
            let what = bits.keys.sorted().joined(separator: ", ")
            let refused = try HostNetwork.step(label, "set \(what)") { () throws(NetlinkError) -> [String] in
                guard let ethtool else { throw NetlinkError("set \(what)", code: EOPNOTSUPP, text: "the kernel has no ethtool netlink") }
                return try Ethtool(like: ethtool).set(list, bits, of: here.link.index)
            }
            if !refused.isEmpty {
                throw PodNetworkError(label, "set \(what)", "the driver did not take \(refused.joined(separator: ", ")) as asked")
            }
        }
    }

    private func write(_ value: String, _ path: String, below folder: String, _ interface: String) throws(PodNetworkError) {
        do throws(SystemError) { try Files.overwrite(path, below: "\(sysctls)/\(folder)", value) } catch {
            throw PodNetworkError(interface, "set sysctl \(folder)/\(path) to \(value)", error)
        }
    }

    // MARK: What it has

    /// The planned addresses, or those it had on the host. IPv6 addresses are used at once: nobody else
    /// on the link can have an address that this interface has had all along or was given for its own.
    private func addresses(_ here: Arrived) -> [InterfaceAddress] {
        let prefixes = here.plan.addresses ?? here.carried.addresses
        return prefixes.map { prefix in
            InterfaceAddress(index: here.link.index, prefix: prefix, flags: prefix.address.isV6 ? UInt32(IFA_F_NODAD) : 0)
        }
    }

    private func routes(_ here: Arrived) -> [Route] {
        let table = here.plan.vrf?.table
        // Those that need an address of a server are set when that has come.
        let planned = here.plan.routes.filter { here.plan.lease(for: $0) == nil }.map { Route($0, of: here.link.index, in: table) }
        let carried = here.carried.routes.compactMap { route -> Route? in
            var route = route
            route.interface = here.link.index
            if let table { route.table = table }
            let isReplaced = planned.contains { $0.destination == route.destination && $0.isV6 == route.isV6 && $0.table == route.table }
            return isReplaced ? nil : route
        }
        return carried + planned
    }

    private func rules(_ here: Arrived) -> [Rule] {
        guard here.plan.vrf == nil else { return here.plan.rules }
        return here.plan.rules
            + here.carried.rules.map { rule in
                var rule = rule
                if rule.inputInterface != nil { rule.inputInterface = here.plan.name }
                if rule.outputInterface != nil { rule.outputInterface = here.plan.name }
                return rule
            }
    }

    private func neighbours(_ here: Arrived) -> [Neighbour] {
        let planned = here.plan.neighbours.map {
            Neighbour(index: here.link.index, address: $0.address, hardwareAddress: $0.hardwareAddress)
        }
        return planned
            + here.carried.neighbours.compactMap { neighbour in
                var neighbour = neighbour
                neighbour.index = here.link.index
                return planned.contains { $0.address == neighbour.address } ? nil : neighbour
            }
    }
}

extension PodConfigurator.Arrived {
    /// What of the host goes along: all that belongs to its addresses, or nothing of it. A default route of the host is none
    /// of the pod's, but one in a table that only a rule for its own addresses leads to is.
    fileprivate var carried: (addresses: [IPPrefix], routes: [Route], rules: [Rule], neighbours: [Neighbour]) {
        guard let record = order.record, plan.child == nil, plan.addresses == nil, plan.leaseFamilies.isEmpty else {
            return ([], [], [], [])
        }
        // What the kernel made for itself from a router's announcements, it makes in the pod too.
        let addresses = record.addresses.filter { !$0.prefix.address.isLinkLocal && !($0.prefix.address.isV6 && $0.validLifetime != nil) }
        let tables = Set(record.rules.map(\.table))
        let routes = record.routes.filter { route in
            guard route.interface == record.index, route.nextHops == nil else { return false }
            return route.table == Route.mainTable ? !route.isDefault : tables.contains(route.table)
        }
        return (addresses.map(\.prefix), routes, record.rules, record.neighbours)
    }
}

extension InterfacePlan {
    /// True when a setting goes with the message that also sets the MTU.
    fileprivate func isSetByMessage(_ path: String, _ value: String) -> Bool {
        PodConfigurator.number(ofSysctl: path) != nil && UInt32(value) != nil
    }

    /// True when something of it has no message of rtnetlink.
    fileprivate var needsOtherMeans: Bool {
        features != nil || privateFlags != nil || detachesPrograms == true
            || (sysctls ?? [:]).contains { !isSetByMessage($0.key, $0.value) }
    }
}

extension LinkChange {
    /// What it sets, in words.
    fileprivate var summary: String {
        var parts: [String] = []
        if let mtu { parts.append("MTU \(mtu)") }
        if let address { parts.append("hardware address \(address)") }
        if sizes != SegmentSizes() { parts.append("segment sizes") }
        if !ipv4.isEmpty { parts.append("IPv4 settings") }
        if master != nil { parts.append("VRF") }
        return parts.joined(separator: ", ")
    }
}
