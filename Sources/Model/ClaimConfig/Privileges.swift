// SPDX-License-Identifier: Apache-2.0

import NetworkModel
package import Primitives

/// A setting with effects beyond the pod. It is valid in a DeviceClass, which administrators write, and in a claim only if the operator
/// of nearside-node allows it.
package struct PrivilegedSetting: Hashable, Sendable {
    /// The path of the field, as in ``ConfigField``.
    package var path: String
    /// The privileged values, if only some are privileged.
    package var values: String?
    /// The effect that an author of claims could have.
    package var reason: String

    init(_ path: String, values: String? = nil, _ reason: String) {
        self.path = path
        self.values = values
        self.reason = reason
    }

    package static let all = [
        PrivilegedSetting("interface.hardwareAddr", "allows impersonation of another machine on the link"),
        PrivilegedSetting("interface.disableEbpfPrograms", "detaches the host's own programs from the NIC"),
        PrivilegedSetting(
            "interface.subInterface.mode", values: "passthru", "gives all packets of the device to one pod and makes it promiscuous"),
        PrivilegedSetting("interface.subInterface.vlan", "enters any VLAN that the switch sends to the host"),
        PrivilegedSetting(
            "interface.sysctls", values: "some settings",
            "changes for which addresses the pod answers and forwards, or uses memory of the host"),
        PrivilegedSetting(
            "ethtool.features", values: reservedFeatures.sorted().joined(separator: ", "),
            "admits frames that the NIC would drop, or changes switching of the whole device"),
        PrivilegedSetting("ethtool.privateFlags", "changes firmware and driver of the NIC"),
        PrivilegedSetting("rdma.management", "gives access to the management of the whole RDMA fabric"),
        PrivilegedSetting("sriov.vlan", "leaves the VLAN that was assigned to the virtual function"),
        PrivilegedSetting("sriov.trust", "lets the virtual function change its address and become promiscuous"),
        PrivilegedSetting("sriov.spoofCheck", "lets the virtual function send from foreign addresses"),
        PrivilegedSetting("sriov.minTxRate", "takes bandwidth from other virtual functions"),
        PrivilegedSetting("sriov.maxTxRate", "removes a limit of bandwidth"),
    ]

    /// Offloads with which a NIC admits frames that it would drop (other VLANs, damaged frames), loops its port back, or switches between
    /// its functions (include/linux/netdev_features.h, net/ethtool/common.c).
    fileprivate static let reservedFeatures: Set = [
        "hw-tc-offload", "l2-fwd-offload", "loopback", "rx-all", "rx-fcs", "rx-vlan-filter", "rx-vlan-stag-filter",
    ]

    /// The problems of a claim with the setting: the reason, and who may set it.
    fileprivate func refusals(_ config: NetworkConfig) -> [ConfigProblem] {
        let way =
            "so a claim may not set it; an administrator can set it in the DeviceClass, and the operator of nearside-node can allow it to "
            + "claims with --allow-claims=\(path)"
        if let names = names(config) { return names.map { ConfigProblem(.reserved, "\(path).\($0)", "\(reason), \(way)") } }
        return [ConfigProblem(.reserved, path, "\(values.map { "\($0) " } ?? "")\(reason), \(way)")]
    }

    /// The privileged entries of a map, in order; nil for a setting without such entries.
    fileprivate func names(_ config: NetworkConfig) -> [String]? {
        switch path {
        case "interface.sysctls": (config.interface.sysctls ?? [:]).keys.filter { Sysctls.settings[$0]?.isHarmless != true }.sorted()
        case "ethtool.features": (config.features ?? [:]).keys.filter(Self.reservedFeatures.contains).sorted()
        default: nil
        }
    }
}

extension PrivilegedSetting {
    /// Parses `--allow-claims`: paths joined by commas.
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
    /// The paths of the configuration's settings that a class can pin.
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

    /// The privileged settings of the configuration.
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

    /// The problems of a claim's configuration: privileged settings, and fields for classes only.
    ///
    /// - Parameter allowed: paths of privileged settings that claims may have.
    package func claimProblems(allowed: Set<String>) -> [ConfigProblem] {
        var problems = privileged.filter { !allowed.contains($0.path) }.flatMap { $0.refusals(self) }
        if pinned != nil { problems.append(ConfigProblem(.reserved, "pinned", "is valid only in the configuration of a DeviceClass")) }
        return problems
    }

    /// Ways of addressing replace each other when a claim overlays its class, so that pinning one of them pins all.
    private static let addressing: Set = ["interface.addresses", "interface.dhcp", "interface.dhcp6", "interface.dhcpRoutes"]

    /// The problems of a claim's configuration that sets fields pinned by its class.
    package func pinProblems(under base: NetworkConfig) -> [ConfigProblem] {
        var pins = base.pinned ?? []
        if !pins.isDisjoint(with: Self.addressing) { pins.formUnion(Self.addressing) }
        return paths.filter { path in pins.contains { $0 == path || path.hasPrefix("\($0).") } }.sorted().map {
            ConfigProblem(.reserved, $0, "is pinned by the DeviceClass of the request; remove it from the claim")
        }
    }
}

extension ChildInterface {
    fileprivate var isPassthru: Bool { kind == .macvlan && mode == 8 }
}
