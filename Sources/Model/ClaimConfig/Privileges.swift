// SPDX-License-Identifier: Apache-2.0

import NetworkModel
package import Primitives

/// A setting that reaches beyond the pod: it counts in a DeviceClass, which administrators write, and in a claim only where the operator
/// of nearside-node allows it.
package struct PrivilegedSetting: Hashable, Sendable {
    /// The field as ``ConfigField`` has it.
    package var path: String
    /// The values that are meant, if not all: others are the claim's.
    package var values: String?
    /// The power that it would give a claim's author.
    package var reason: String

    init(_ path: String, values: String? = nil, _ reason: String) {
        self.path = path
        self.values = values
        self.reason = reason
    }

    package static let all = [
        PrivilegedSetting("interface.hardwareAddr", "takes the place of another machine on the link"),
        PrivilegedSetting("interface.disableEbpfPrograms", "takes the host's own programs off the NIC"),
        PrivilegedSetting(
            "interface.subInterface.mode", values: "passthru", "gives all packets of the device to one pod and makes it promiscuous"),
        PrivilegedSetting("interface.subInterface.vlan", "enters any VLAN that the switch sends to the host"),
        PrivilegedSetting(
            "interface.sysctls", values: "some settings",
            "changes whom the pod answers and forwards for, or costs the host memory"),
        PrivilegedSetting(
            "ethtool.features", values: reservedFeatures.sorted().joined(separator: ", "),
            "lets frames in that the NIC keeps from the pod, or changes how the whole device switches"),
        PrivilegedSetting("ethtool.privateFlags", "changes firmware and driver of the NIC"),
        PrivilegedSetting("rdma.management", "opens the nodes with which one manages the whole RDMA fabric"),
        PrivilegedSetting("sriov.vlan", "leaves the VLAN that the virtual function was put into"),
        PrivilegedSetting("sriov.trust", "lets the virtual function change its address and become promiscuous"),
        PrivilegedSetting("sriov.spoofCheck", "lets the virtual function send from addresses of others"),
        PrivilegedSetting("sriov.minTxRate", "takes bandwidth from other virtual functions"),
        PrivilegedSetting("sriov.maxTxRate", "takes away a limit of bandwidth"),
    ]

    /// Offloads by which a NIC lets in what it would drop (other VLANs, damaged frames), turns its port back on itself, or switches between its
    /// functions (include/linux/netdev_features.h, net/ethtool/common.c).
    fileprivate static let reservedFeatures: Set = [
        "hw-tc-offload", "l2-fwd-offload", "loopback", "rx-all", "rx-fcs", "rx-vlan-filter", "rx-vlan-stag-filter",
    ]

    /// The problems of a claim that has it: the reason, and who can set it.
    fileprivate func refusals(_ config: NetworkConfig) -> [ConfigProblem] {
        let way =
            "so a claim may not set it; an administrator can set it in the DeviceClass, and the operator of nearside-node can allow it to "
            + "claims with --allow-claims=\(path)"
        if let names = names(config) { return names.map { ConfigProblem("\(path).\($0)", "\(reason), \(way)") } }
        return [ConfigProblem(path, "\(values.map { "\($0) " } ?? "")\(reason), \(way)")]
    }

    /// Entries of a map that are for classes, in order; nil for a setting that is no map with such.
    fileprivate func names(_ config: NetworkConfig) -> [String]? {
        switch path {
        case "interface.sysctls": (config.interface.sysctls ?? [:]).keys.filter { Sysctls.settings[$0]?.isHarmless != true }.sorted()
        case "ethtool.features": (config.features ?? [:]).keys.filter(Self.reservedFeatures.contains).sorted()
        default: nil
        }
    }
}

extension PrivilegedSetting {
    /// Reads `--allow-claims`: paths with commas between them.
    package static func allowed(_ text: String) throws(InputError) -> Set<String> {
        let names = text.split(separator: ",").map(String.init)
        for name in names where !all.contains(where: { $0.path == name }) {
            throw InputError(
                .unknown, "\"\(name)\"", "not a privileged setting",
                advice: "privileged settings are \(all.map(\.path).joined(separator: ", "))")
        }
        return Set(names)
    }
}

extension NetworkConfig {
    /// The values of the configuration, by the paths that a class can pin.
    package var paths: Set<String> {
        let function = virtualFunction
        let said: [(String, Bool)] = [
            ("interface.name", interface.name != nil), ("interface.addresses", interface.addresses != nil),
            ("interface.dhcp", interface.dhcp != nil), ("interface.dhcp6", interface.dhcp6 != nil),
            ("interface.dhcpRoutes", interface.dhcpRoutes != nil),
            ("interface.mtu", interface.mtu != nil),
            ("interface.hardwareAddr", interface.hardwareAddress != nil), ("interface.gsoMaxSize", interface.gsoMaxSize != nil),
            ("interface.groMaxSize", interface.groMaxSize != nil), ("interface.gsoIPv4MaxSize", interface.gsoIPv4MaxSize != nil),
            ("interface.groIPv4MaxSize", interface.groIPv4MaxSize != nil), ("interface.forwarding", interface.forwarding != nil),
            ("interface.arpIgnore", interface.arpIgnore != nil), ("interface.arpAnnounce", interface.arpAnnounce != nil),
            ("interface.acceptRA", interface.acceptRA != nil), ("interface.disableEbpfPrograms", interface.detachesPrograms != nil),
            ("interface.vrf", interface.vrf != nil), ("interface.subInterface", interface.child != nil),
            ("interface.sysctls", interface.sysctls != nil), ("routes", routes != nil), ("rules", rules != nil),
            ("neighbors", neighbours != nil), ("ethtool.features", features != nil), ("ethtool.privateFlags", privateFlags != nil),
            ("rdma.management", rdma.management != nil), ("sriov.vlan", function.vlan != nil), ("sriov.trust", function.isTrusted != nil),
            ("sriov.spoofCheck", function.checksSpoofing != nil), ("sriov.minTxRate", function.minimalRate != nil),
            ("sriov.maxTxRate", function.maximalRate != nil), ("workload.environment", workload.environment != nil),
            ("workload.ncclTopology", workload.ncclTopology != nil),
        ]
        return Set(said.filter(\.1).map(\.0))
    }

    /// The privileged part of the configuration.
    package var privileged: [PrivilegedSetting] {
        let paths = paths
        return PrivilegedSetting.all.filter { setting in
            switch setting.path {
            case "interface.subInterface.mode": interface.child?.isPassthru == true
            case "interface.subInterface.vlan": interface.child?.vlan != nil
            default: setting.names(self).map { !$0.isEmpty } ?? paths.contains(setting.path)
            }
        }
    }

    /// Why this configuration of a claim cannot count: what only others may set, and what is for classes.
    ///
    /// - Parameter allowed: paths of privileged settings that claims may set here.
    package func claimProblems(allowed: Set<String>) -> [ConfigProblem] {
        var problems = privileged.filter { !allowed.contains($0.path) }.flatMap { $0.refusals(self) }
        if pinned != nil { problems.append(ConfigProblem("pinned", "is for the configuration of a DeviceClass")) }
        return problems
    }

    /// Ways to come by addresses replace each other when a claim is laid over its class, so all of them are pinned with one.
    private static let addressing: Set = ["interface.addresses", "interface.dhcp", "interface.dhcp6", "interface.dhcpRoutes"]

    /// Why this configuration of a claim cannot be laid over that of its class: what the class pins.
    package func pinProblems(under base: NetworkConfig) -> [ConfigProblem] {
        var pins = base.pinned ?? []
        if !pins.isDisjoint(with: Self.addressing) { pins.formUnion(Self.addressing) }
        return paths.filter { path in pins.contains { $0 == path || path.hasPrefix("\($0).") } }.sorted().map {
            ConfigProblem($0, "is pinned by the DeviceClass of the request; take it out of the claim")
        }
    }
}

extension ChildInterface {
    fileprivate var isPassthru: Bool { kind == .macvlan && mode == 8 }
}
