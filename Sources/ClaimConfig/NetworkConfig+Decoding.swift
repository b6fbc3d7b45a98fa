// SPDX-License-Identifier: Apache-2.0

import Addressing
package import ResourceAPI

extension NetworkConfig {
    package static let apiVersion = "nearside/v1alpha1"
    package static let kind = "NetworkConfig"

    /// Longest name the kernel takes: IFNAMSIZ is 16 with its final zero (linux/if.h).
    private static let nameBytes = 15

    /// Names in a pod that are not to be given: the loopback, and the pod network's interface.
    package static let reservedNames = ["lo", "eth0"]

    private static let fields = [
        "apiVersion", "kind", "interface", "routes", "rules", "neighbors", "ethtool", "rdma", "sriov", "workload", "profile",
    ]

    /// Decodes the text of opaque parameters, within ``ConfigLimits/text``.
    package init(parameters: [UInt8]) throws(InvalidConfig) {
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue(parsing: parameters, limits: ConfigLimits.text) } catch {
            throw InvalidConfig(problems: [ConfigProblem("parameters", error.description)])
        }
        try self.init(json)
    }

    /// True when the driver of an interface has to be asked what it can do before a plan is made.
    package static func asksDriver(_ parameters: [UInt8]) -> Bool {
        guard let config = try? NetworkConfig(parameters: parameters) else { return false }
        return config.features != nil || config.privateFlags != nil
    }

    /// Decodes strictly: an unknown field is a problem, and all problems are collected.
    ///
    /// Both our own versioned kind and DRANET's unversioned form are taken; they differ only in
    /// `apiVersion` and `kind`.
    package init(_ json: JSONValue) throws(InvalidConfig) {
        self.init()
        var reader = ConfigReader()
        reader.object(json, at: "", fields: Self.fields) { reader, root in
            if let version = reader.string(root["apiVersion"], at: "apiVersion"), version != Self.apiVersion {
                reader.problem("apiVersion", "\"\(version)\" is not known; use \(Self.apiVersion)")
            }
            if let kind = reader.string(root["kind"], at: "kind"), kind != Self.kind {
                reader.problem("kind", "\"\(kind)\" is not known; use \(Self.kind)")
            }
            if root["profile"] != nil {
                reader.problem("profile", "there is no provider of profiles here; write out what the profile holds")
            }
            if let value = root["interface"] { interface = InterfaceConfig(value, &reader) }
            routes = reader.list(root["routes"], at: "routes") { RouteConfig($1, at: $2, &$0) }
            rules = reader.list(root["rules"], at: "rules") { RuleConfig($1, at: $2, &$0) }
            neighbors = reader.list(root["neighbors"], at: "neighbors") { NeighborConfig($1, at: $2, &$0) }
            readDevice(root, &reader)
            if interface.vrf != nil, rules?.isEmpty == false {
                reader.problem("rules", "an interface in a VRF looks up the VRF's table only; take out rules, or interface.vrf")
            }
            if interface.child != nil, virtualFunction != VirtualFunctionConfig() {
                reader.problem(
                    "sriov", "an interface stacked on the device is no virtual function; take out sriov, or interface.subInterface")
            }
        }
        if !reader.problems.isEmpty { throw InvalidConfig(problems: reader.problems) }
    }

    private mutating func readDevice(_ root: [String: JSONValue], _ reader: inout ConfigReader) {
        if let json = root["ethtool"] {
            reader.object(json, at: "ethtool", fields: ["features", "privateFlags"]) { reader, ethtool in
                features = reader.map(ethtool["features"], at: "ethtool.features") { $0.bool($1, at: $2) }
                privateFlags = reader.map(ethtool["privateFlags"], at: "ethtool.privateFlags") { $0.bool($1, at: $2) }
            }
        }
        if let json = root["rdma"] {
            reader.object(json, at: "rdma", fields: ["management"]) { reader, values in
                rdma.management = reader.bool(values["management"], at: "rdma.management")
            }
        }
        if let json = root["sriov"] {
            let fields = ["vlan", "trust", "spoofCheck", "minTxRate", "maxTxRate"]
            reader.object(json, at: "sriov", fields: fields) { reader, values in
                virtualFunction.vlan = reader.integer(values["vlan"], at: "sriov.vlan", in: 0...4094).map { UInt16($0) }
                virtualFunction.trust = reader.bool(values["trust"], at: "sriov.trust")
                virtualFunction.spoofCheck = reader.bool(values["spoofCheck"], at: "sriov.spoofCheck")
                virtualFunction.minTxRate = reader.integer(values["minTxRate"], at: "sriov.minTxRate", in: 0...Int(UInt32.max)).map {
                    UInt32($0)
                }
                virtualFunction.maxTxRate = reader.integer(values["maxTxRate"], at: "sriov.maxTxRate", in: 0...Int(UInt32.max)).map {
                    UInt32($0)
                }
                if let low = virtualFunction.minTxRate, let high = virtualFunction.maxTxRate, high != 0, low > high {
                    reader.problem("sriov.minTxRate", "\(low) is more than maxTxRate, \(high)")
                }
            }
        }
        if let json = root["workload"] {
            reader.object(json, at: "workload", fields: ["environment", "ncclTopology"]) { reader, values in
                workload.environment = reader.bool(values["environment"], at: "workload.environment")
                workload.ncclTopology = reader.bool(values["ncclTopology"], at: "workload.ncclTopology")
            }
        }
    }

    /// The kernel's rule (dev_valid_name in net/core/dev.c).
    package static func isInterfaceName(_ name: String) -> Bool {
        (1...nameBytes).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
    }
}

extension ConfigReader {
    /// A name that the kernel takes, and that is free in every pod.
    mutating func interfaceName(_ json: JSONValue?, at path: String) -> String? {
        guard let name = string(json, at: path) else { return nil }
        if !NetworkConfig.isInterfaceName(name) {
            problem(path, "\"\(name)\" is no interface name: 1 to 15 bytes, without / : and blanks")
        } else if NetworkConfig.reservedNames.contains(name) {
            problem(path, "\"\(name)\" is reserved: every pod has one of its own")
        }
        return name
    }
}

/// Names that ethtool(8) has for features, where they are not the kernel's.
package enum EthtoolNames {
    private static let aliases = [
        "rx": ["rx-checksum"],
        "tx": ["tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-fcoe-crc", "tx-checksum-sctp"],
        "sg": ["tx-scatter-gather", "tx-scatter-gather-fraglist"],
        "tso": ["tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-tcp6-segmentation"],
        "ufo": ["tx-udp-fragmentation"], "gso": ["tx-generic-segmentation"], "gro": ["rx-gro"], "lro": ["rx-lro"],
        "rxvlan": ["rx-vlan-hw-parse"], "txvlan": ["tx-vlan-hw-insert"], "ntuple": ["rx-ntuple-filter"], "rxhash": ["rx-hashing"],
    ]

    /// The kernel's names; of those that a name means, a driver may have only some.
    package static func kernelNames(_ name: String) -> [String] { aliases[name] ?? [name] }
}
