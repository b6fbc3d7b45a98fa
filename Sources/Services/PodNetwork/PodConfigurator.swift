// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// Sets up interfaces inside the pod's namespace, on a thread in that namespace.
struct PodConfigurator {
    let socket: NetlinkSocket
    let ethtool: Ethtool?
    /// The folder of sysctls, which apply to the calling thread's namespace.
    let sysctls: String

    /// - Returns: one interface for each request.
    func setUp(_ requests: [PodNetwork.AttachRequest]) throws(PodNetworkError) -> [PodNetwork.AttachedInterface] {
        try makeRoutingDomains(requests)
        let links = try requests.map(PodNetwork.RestoreRequest.init).links(socket).links
        let arrived = try find(requests, links)
        var steps: [Step] = []
        for interface in arrived { steps += try linkSteps(interface, links) }
        // Settings without a netlink message have to be set before the interface is up.
        if arrived.contains(where: { $0.plan.needsOtherMeans }) {
            try execute(steps)
            steps = []
            for interface in arrived { try setByOtherMeans(interface) }
        }
        let addresses = arrived.map(\.addresses)
        try execute(steps + tableSteps(arrived, addresses))
        var interfaces = zip(arrived, addresses).makeIterator()
        return requests.map { request in
            guard request.plan != nil, let (interface, addresses) = interfaces.next() else {
                return PodNetwork.AttachedInterface(addresses: [])
            }
            return PodNetwork.AttachedInterface(
                index: interface.link.index, hardwareAddress: interface.plan.hardwareAddress ?? interface.link.address,
                addresses: addresses.map(\.prefix))
        }
    }

    private func execute(_ steps: [Step]) throws(PodNetworkError) {
        if let failure = try socket.execute(steps).first { throw failure.error }
    }

    private func find(_ requests: [PodNetwork.AttachRequest], _ links: [Link]) throws(PodNetworkError) -> [ArrivedInterface] {
        var arrived: [ArrivedInterface] = []
        for request in requests {
            guard let plan = request.plan else { continue }
            guard let link = PodNetwork.RestoreRequest(request).find(in: links) else {
                throw PodNetworkError(
                    .missing, request.label, "move into the pod", "the kernel reports success, but the interface is not in the pod")
            }
            guard link.name == plan.name else {
                throw PodNetworkError(
                    .notSet, request.label, "rename to \(plan.name)", "the kernel named the interface \(link.name); use another name")
            }
            arrived.append(ArrivedInterface(request: request, plan: plan, link: link))
        }
        return arrived
    }

    // MARK: Before the interface is up

    private func makeRoutingDomains(_ requests: [PodNetwork.AttachRequest]) throws(PodNetworkError) {
        var steps: [Step] = []
        for request in requests {
            guard let vrf = request.plan?.vrf, !steps.contains(where: { $0.name == "create VRF \(vrf.name)" }) else { continue }
            let message = NetlinkRequest.addLink(vrf.name, kind: "vrf") { $0.attribute(Int(IFLA_VRF_TABLE), integer: vrf.table) }
            steps.append(request.step("create VRF \(vrf.name)", message, harmless: [EEXIST]))
        }
        guard !steps.isEmpty else { return }
        try execute(steps)
        for name in ["tcp_l3mdev_accept", "udp_l3mdev_accept"] { try write("1", name, below: "net/ipv4", requests[0].label) }
    }

    /// The steps that rtnetlink messages perform.
    private func linkSteps(_ interface: ArrivedInterface, _ links: [Link]) throws(PodNetworkError) -> [Step] {
        let (plan, link) = (interface.plan, interface.link)
        var change = LinkChange()
        if let mtu = plan.mtu.map({ UInt32(clamping: $0) }), mtu != link.mtu { change.mtu = mtu }
        if let address = plan.hardwareAddress, address != link.address { change.address = address }
        if let sizes = plan.sizes { change.sizes = sizes }
        for (path, value) in plan.sysctls ?? [:] {
            if let number = Self.number(ofSysctl: path), let value = UInt32(value) { change.ipv4[number] = value }
        }
        var steps: [Step] = []
        if plan.detachesPrograms == true {
            // The interface may have no program, or the kernel may not support the kind.
            steps += NetlinkRequest.detachPrograms(from: link.index).map {
                interface.request.step("detach programs", $0, harmless: [EINVAL, ENOENT, EOPNOTSUPP])
            }
        }
        if let vrf = plan.vrf {
            guard let domain = links.first(where: { $0.name == vrf.name }), domain.kind == "vrf" else {
                throw PodNetworkError(
                    .otherDevice, interface.request.label, "assign to VRF \(vrf.name)", "the pod has another interface of that name")
            }
            change.master = domain.index
            steps.append(
                interface.request.step(
                    "bring up VRF \(vrf.name)", .change(domain.index, LinkChange(isUp: true), "bring \(vrf.name) up")))
        }
        if !change.isEmpty {
            steps.append(
                interface.request.step(
                    "set \(change.summary)", .change(link.index, change, "set \(change.summary) on \(plan.name)")))
        }
        return steps
    }

    /// The number of a setting that rtnetlink can set.
    fileprivate static func number(ofSysctl path: String) -> Int? {
        let prefix = "ipv4/conf/"
        return path.hasPrefix(prefix) ? InterfaceSettings.ipv4[String(path.dropFirst(prefix.count))] : nil
    }

    // MARK: Settings outside rtnetlink

    private func setByOtherMeans(_ interface: ArrivedInterface) throws(PodNetworkError) {
        let (plan, label) = (interface.plan, interface.request.label)
        if plan.detachesPrograms == true {
            do throws(SystemError) { try InterfaceHooks.detachAll(from: interface.link.index) } catch {
                throw PodNetworkError(.refused, label, "detach programs", error)
            }
        }
        for (path, value) in (plan.sysctls ?? [:]).sorted(by: { $0.key < $1.key }) where !plan.isSetByMessage(path, value) {
            // `ipv6/conf/accept_ra` is the file net/ipv6/conf/IF/accept_ra.
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, ["ipv4", "ipv6"].contains(parts[0]), ["conf", "neigh"].contains(parts[1]) else {
                throw PodNetworkError(.refused, label, "set sysctl \(path)", "the path is not FAMILY/conf/NAME or FAMILY/neigh/NAME")
            }
            try write(value, "\(plan.name)/\(parts[2])", below: "net/\(parts[0])/\(parts[1])", label)
        }
        for (list, bits) in [(Ethtool.BitList.features, plan.features), (.privateFlags, plan.privateFlags)] {
            if let bits, !bits.isEmpty { try set(list, bits, interface) }
        }
    }

    private func set(_ list: Ethtool.BitList, _ bits: [String: Bool], _ interface: ArrivedInterface) throws(PodNetworkError) {
        let step = "set " + bits.keys.sorted().joined(separator: ", ")
        let refused = try HostNetwork.step(interface.request.label, step) { () throws(NetlinkError) -> [String] in
            guard let ethtool else { throw NetlinkError(step, code: EOPNOTSUPP, cause: "the kernel has no ethtool netlink") }
            return try Ethtool(like: ethtool).set(list, bits, of: interface.link.index)
        }
        guard refused.isEmpty else {
            throw PodNetworkError(
                .notSet, interface.request.label, step, "the driver did not accept \(refused.joined(separator: ", ")) as requested")
        }
    }

    private func write(_ value: String, _ path: String, below folder: String, _ interface: String) throws(PodNetworkError) {
        do throws(SystemError) { try Files.overwrite(path, below: "\(sysctls)/\(folder)", value) } catch {
            throw PodNetworkError(.refused, interface, "set sysctl \(folder)/\(path) to \(value)", error)
        }
    }

    // MARK: Addresses, routes, rules and neighbours

    /// The steps from the addresses on, in the kernel's order of dependencies.
    private func tableSteps(_ arrived: [ArrivedInterface], _ addresses: [[InterfaceAddress]]) -> [Step] {
        var steps = zip(arrived, addresses).flatMap { interface, own in own.map { interface.request.step("set an address", .set($0)) } }
        steps += arrived.map { interface in
            interface.request.step(
                "bring up", .change(interface.link.index, LinkChange(isUp: true), "bring \(interface.plan.name) up"))
        }
        // The route to a gateway must exist before the routes over it.
        for isBehindGateway in [false, true] {
            steps += arrived.flatMap { interface in
                interface.routes.filter { ($0.gateway != nil) == isBehindGateway }.map { interface.request.step("set a route", .set($0)) }
            }
        }
        for interface in arrived {
            // Two interfaces can have the same rule.
            steps += interface.rules.map { interface.request.step("add a rule", .add($0), harmless: [EEXIST]) }
            steps += interface.neighbours.map { interface.request.step("set a neighbour", .set($0)) }
        }
        return steps
    }
}

extension InterfacePlan {
    /// True if the message that sets the MTU also sets this sysctl.
    fileprivate func isSetByMessage(_ path: String, _ value: String) -> Bool {
        PodConfigurator.number(ofSysctl: path) != nil && UInt32(value) != nil
    }

    /// True if the plan needs sysctls or ethtool besides rtnetlink.
    fileprivate var needsOtherMeans: Bool {
        features != nil || privateFlags != nil || detachesPrograms == true
            || (sysctls ?? [:]).contains { !isSetByMessage($0.key, $0.value) }
    }
}

extension LinkChange {
    /// The names of the settings.
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
