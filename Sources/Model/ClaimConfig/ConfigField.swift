// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Primitives

/// The description of a configuration field, for `nearside validate --explain`; `api/networkconfig.schema.json`
/// has the same content.
package struct ConfigField: Hashable, Sendable {
    /// The type of a field, with its limits.
    package enum Kind: Hashable, Sendable {
        case object
        case boolean
        case integer(ClosedRange<Int>)
        case numbers([Int])
        case words([String])
        /// A string with a maximum number of bytes.
        case string(Int)
        /// A list with a maximum number of elements.
        case list(Int)
        /// A map with a maximum number of entries.
        case map(Int)
    }

    /// Names joined by dots; `[]` marks elements of a list.
    package var path: String
    package var kind: Kind

    init(_ path: String, _ kind: Kind) {
        self.path = path
        self.kind = kind
    }

    package var privilege: PrivilegedSetting? { PrivilegedSetting.all.first { $0.path == path } }

    /// True for fields that only classes may have.
    package var isForClasses: Bool { path == "pinned" || path == "pinned[]" }

    package static let all: [ConfigField] = top + interface + routing + device

    private static let top = [
        ConfigField("apiVersion", .words([NetworkConfig.apiVersion])), ConfigField("kind", .words([NetworkConfig.kind])),
        ConfigField("pinned", .list(ConfigLimits.pinned)), ConfigField("pinned[]", .string(ConfigLimits.pathBytes)),
    ]

    private static let interface = [
        ConfigField("interface", .object), ConfigField("interface.name", .string(ConfigLimits.nameBytes)),
        ConfigField("interface.addresses", .list(ConfigLimits.addresses)),
        ConfigField("interface.addresses[]", .string(ConfigLimits.addressBytes)), ConfigField("interface.dhcp", .boolean),
        ConfigField("interface.dhcp6", .boolean), ConfigField("interface.dhcpRoutes", .list(ConfigLimits.dhcpRoutes)),
        ConfigField("interface.dhcpRoutes[]", .string(ConfigLimits.addressBytes)), ConfigField("interface.mtu", .integer(ConfigLimits.mtu)),
        ConfigField("interface.hardwareAddr", .string(ConfigLimits.hardwareAddressBytes)),
        ConfigField("interface.gsoMaxSize", .integer(ConfigLimits.segmentSize)),
        ConfigField("interface.groMaxSize", .integer(ConfigLimits.segmentSize)),
        ConfigField("interface.gsoIPv4MaxSize", .integer(ConfigLimits.segmentSize)),
        ConfigField("interface.groIPv4MaxSize", .integer(ConfigLimits.segmentSize)), ConfigField("interface.forwarding", .boolean),
        ConfigField("interface.arpIgnore", .numbers(ConfigLimits.arpIgnore)),
        ConfigField("interface.arpAnnounce", .integer(ConfigLimits.arpAnnounce)),
        ConfigField("interface.acceptRA", .integer(ConfigLimits.acceptRA)), ConfigField("interface.disableEbpfPrograms", .boolean),
        ConfigField("interface.vrf", .object), ConfigField("interface.vrf.name", .string(ConfigLimits.nameBytes)),
        ConfigField("interface.vrf.table", .integer(ConfigLimits.table)), ConfigField("interface.subInterface", .object),
        ConfigField("interface.subInterface.type", .words(ChildInterface.Kind.allCases.map(\.rawValue))),
        ConfigField("interface.subInterface.mode", .words(ChildInterface.Kind.allCases.flatMap(\.modes).map(\.name))),
        ConfigField("interface.subInterface.vlan", .integer(ConfigLimits.vlan)),
        ConfigField("interface.sysctls", .map(ConfigLimits.sysctls)),
    ]

    private static let routing = [
        ConfigField("routes", .list(ConfigLimits.routes)), ConfigField("routes[]", .object),
        ConfigField("routes[].destination", .string(ConfigLimits.addressBytes)),
        ConfigField("routes[].gateway", .string(ConfigLimits.addressBytes)),
        ConfigField("routes[].source", .string(ConfigLimits.addressBytes)), ConfigField("routes[].scope", .numbers(ConfigLimits.scopes)),
        ConfigField("routes[].table", .integer(ConfigLimits.number)), ConfigField("routes[].metric", .integer(ConfigLimits.number)),
        ConfigField("routes[].mtu", .integer(ConfigLimits.mtu)), ConfigField("routes[].onLink", .boolean),
        ConfigField("rules", .list(ConfigLimits.rules)), ConfigField("rules[]", .object),
        ConfigField("rules[].source", .string(ConfigLimits.addressBytes)),
        ConfigField("rules[].destination", .string(ConfigLimits.addressBytes)),
        ConfigField("rules[].table", .integer(ConfigLimits.table)), ConfigField("rules[].priority", .integer(ConfigLimits.priority)),
        ConfigField("neighbors", .list(ConfigLimits.neighbors)), ConfigField("neighbors[]", .object),
        ConfigField("neighbors[].destination", .string(ConfigLimits.addressBytes)),
        ConfigField("neighbors[].hardwareAddr", .string(ConfigLimits.hardwareAddressBytes)),
    ]

    private static let device = [
        ConfigField("ethtool", .object), ConfigField("ethtool.features", .map(ConfigLimits.features)),
        ConfigField("ethtool.privateFlags", .map(ConfigLimits.privateFlags)), ConfigField("rdma", .object),
        ConfigField("rdma.management", .boolean), ConfigField("sriov", .object),
        ConfigField("sriov.vlan", .integer(ConfigLimits.functionVLAN)), ConfigField("sriov.trust", .boolean),
        ConfigField("sriov.spoofCheck", .boolean), ConfigField("sriov.minTxRate", .integer(ConfigLimits.number)),
        ConfigField("sriov.maxTxRate", .integer(ConfigLimits.number)), ConfigField("workload", .object),
        ConfigField("workload.environment", .boolean), ConfigField("workload.ncclTopology", .boolean),
    ]

    /// Paths that a class can pin: single values, lists and maps as a whole, and whole sections.
    package static let pinnable: Set<String> = Set(
        all.map(\.path).filter { path in
            !path.includes("[]") && !["apiVersion", "kind", "pinned"].contains(path) && !path.hasPrefix("interface.vrf.")
                && !path.hasPrefix("interface.subInterface.")
        })
}
