// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import Hardware
import JournalModel
import NetworkModel
import ResourceAPI

/// Plans the interface of one device of a claim, and the settings of a virtual function. Pure.
struct InterfacePlanner {
    let input: PlannerInput
    let member: ClaimPlanner.Member
    /// The ordinal of this interface among those with the same configuration, and their number.
    let ordinal: Int
    let count: Int
    private(set) var problems: [PlanProblem] = []

    init(input: PlannerInput, member: ClaimPlanner.Member, ordinal: Int, count: Int) {
        self.input = input
        self.member = member
        self.ordinal = ordinal
        self.count = count
    }

    var config: NetworkConfig { member.config }

    mutating func refuse(_ code: PlanProblem.Code, _ path: String, _ cause: String) {
        problems.append(PlanProblem(code, member.label, at: path, cause))
    }

    /// The interface in the pod; nil for a device without an interface, or with admin access only.
    mutating func plan() -> InterfacePlan? {
        guard member.hasInterface, member.result.adminAccess != true, let netdev = member.device.netdevs.first else { return nil }
        let interface = config.interface
        var plan = InterfacePlan(
            hostName: netdev.name, name: name(netdev), mtu: interface.mtu, hardwareAddress: interface.hardwareAddress,
            addresses: interface.addresses)
        refuseStacking()
        check(netdev)
        plan.parentDevice = netdev.parentDevice
        // Some drivers report the address that the physical function has set as the permanent address of a virtual function.
        if member.device.function?.physicalFunction == nil {
            plan.permanentAddress = netdev.permanentMAC
        }
        if interface.dhcp == true { plan.dhcp = true }
        if interface.dhcp6 == true { plan.dhcp6 = true }
        plan.dhcpRoutes = interface.dhcp == true ? interface.dhcpRoutes : nil
        plan.child = interface.child
        // An interface that is created for the pod does not get the host's addresses.
        if plan.child != nil, plan.addresses == nil, plan.leaseFamilies.isEmpty { plan.addresses = [] }
        plan.routes = config.routes ?? []
        plan.rules = config.rules ?? []
        plan.neighbours = config.neighbours ?? []
        plan.vrf = interface.vrf
        addSettings(&plan, netdev)
        return plan
    }

    private mutating func name(_ netdev: Netdev) -> String {
        let interface = config.interface
        // Kernels before 6.13 refuse to create an interface in a pod under a name that the host uses (rtnl_newlink).
        var name = interface.name ?? (interface.child != nil ? String("p-\(netdev.name)".prefix(15)) : netdev.name)
        if interface.name != nil, count > 1 {
            name += String(ordinal)
            if interface.addresses?.isEmpty == false {
                refuse(
                    .addressShared, "interface.addresses",
                    "one set of addresses cannot serve \(count) devices; use a separate request for each")
            }
            if interface.hardwareAddress != nil {
                refuse(
                    .addressShared, "interface.hardwareAddr",
                    "one address cannot serve \(count) devices; use a separate request for each")
            }
        }
        if !InterfaceNames.isUsable(name) {
            refuse(
                .nameUnusable, "interface.name",
                "\(ProblemText.quoted(name)) is reserved, too long or invalid as a name; set interface.name")
        }
        return name
    }

    private mutating func refuseStacking() {
        let interface = config.interface
        if member.result.shareID != nil, interface.child == nil {
            refuse(
                .childMissing, "interface.subInterface",
                "device \(member.result.device) is shared; set interface.subInterface, the kind of interface that each claim gets")
        }
        for (field, isAsked) in [("dhcp", interface.dhcp), ("dhcp6", interface.dhcp6)]
        where isAsked == true && interface.child?.kind == .ipvlan {
            refuse(
                .dhcpOnIPVLAN, "interface.\(field)",
                "an ipvlan has the hardware address of its parent, so that a server cannot distinguish them; use macvlan")
        }
    }

    private mutating func addSettings(_ plan: inout InterfacePlan, _ netdev: Netdev) {
        let interface = config.interface
        func size(_ value: Int?) -> UInt32? { value.map { UInt32(clamping: $0) } }
        let sizes = SegmentSizes(
            gso: size(interface.gsoMaxSize), gro: size(interface.groMaxSize), gsoIPv4: size(interface.gsoIPv4MaxSize),
            groIPv4: size(interface.groIPv4MaxSize))
        if sizes != SegmentSizes() { plan.sizes = sizes }
        if !interface.settings.isEmpty { plan.sysctls = interface.settings }
        plan.features = features(netdev)
        plan.privateFlags = privateFlags(netdev)
        if interface.detachesPrograms == true { plan.detachesPrograms = true }
    }

    private mutating func features(_ netdev: Netdev) -> [String: Bool]? {
        let known = input.facts.interfaces[netdev.name]?.features
        var result: [String: Bool] = [:]
        for (name, value) in (config.features ?? [:]).sorted(by: { $0.key < $1.key }) {
            let names = EthtoolNames.kernelNames(name).filter { known?.contains($0) ?? true }
            if names.isEmpty {
                refuse(.feature, "ethtool.features.\(name)", "\(netdev.name) has no such feature; see ethtool -k \(netdev.name)")
            }
            for name in names { result[name] = value }
        }
        return result.isEmpty ? nil : result
    }

    private mutating func privateFlags(_ netdev: Netdev) -> [String: Bool]? {
        let flags = config.privateFlags ?? [:]
        if let known = input.facts.interfaces[netdev.name]?.privateFlags {
            for name in flags.keys.sorted() where !known.contains(name) {
                let all = known.isEmpty ? "the driver has none" : "flags are \(known.sorted().joined(separator: ", "))"
                refuse(.privateFlag, "ethtool.privateFlags.\(name)", "the driver of \(netdev.name) has no such flag; \(all)")
            }
        }
        return flags.isEmpty ? nil : flags
    }

    /// The settings of a virtual function on its physical function; nil without settings.
    mutating func virtualFunction() -> VirtualFunctionPlan? {
        var settings = config.virtualFunction
        let address = config.interface.child == nil ? config.interface.hardwareAddress : nil
        let isAsked = settings != VirtualFunctionSettings()
        guard member.device.kind == .nic else { return nil }
        guard let number = member.device.function?.virtualFunctionIndex, let parent = input.physicalFunction(of: member.device) else {
            if isAsked, member.hasInterface {
                refuse(
                    .notVirtualFunction, "sriov",
                    "device \(member.result.device) is not a virtual function whose physical function is on this node")
            }
            return nil
        }
        guard isAsked || address != nil else { return nil }
        // With spoof checking, packets from addresses that the physical function has not set are dropped.
        settings.hardwareAddress = address
        return VirtualFunctionPlan(parent: parent.name, number: UInt32(clamping: number), settings: settings)
    }
}
