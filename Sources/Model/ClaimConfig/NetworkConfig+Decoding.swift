// SPDX-License-Identifier: Apache-2.0

import NetworkModel
package import ResourceAPI

extension NetworkConfig {
    package static let apiVersion = "nearside/v1alpha1"
    package static let kind = "NetworkConfig"

    private static let fields = [
        "apiVersion", "kind", "interface", "routes", "rules", "neighbors", "ethtool", "rdma", "sriov", "workload", "pinned", "profile",
    ]

    /// Decodes opaque parameters within ``ConfigLimits/text``.
    package init(parameters: [UInt8]) throws(InvalidConfig) {
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue(parsing: parameters, limits: ConfigLimits.text) } catch {
            throw InvalidConfig(problems: [ConfigProblem(.malformed, "parameters", error.description)])
        }
        try self.init(json)
    }

    /// Decodes strictly: an unknown field is a problem, and all problems are collected.
    ///
    /// Accepts this driver's versioned kind and DRANET's unversioned form, which differ only in
    /// `apiVersion` and `kind`.
    package init(_ json: JSONValue) throws(InvalidConfig) {
        self.init()
        var reader = ConfigReader()
        reader.object(json, at: "", fields: Self.fields) { reader, root in
            if let version = reader.string(root["apiVersion"], at: "apiVersion", bytes: ConfigLimits.text.bytes), version != Self.apiVersion
            {
                reader.problem("apiVersion", "\(ProblemText.quoted(version)) is not known; use \(Self.apiVersion)")
            }
            if let kind = reader.string(root["kind"], at: "kind", bytes: ConfigLimits.text.bytes), kind != Self.kind {
                reader.problem("kind", "\(ProblemText.quoted(kind)) is not known; use \(Self.kind)")
            }
            if root["profile"] != nil {
                reader.problem("profile", "profiles are not supported; write out the settings of the profile")
            }
            if let value = root["interface"] { interface = InterfaceConfig(value, &reader) }
            routes = reader.list(root["routes"], at: "routes", most: ConfigLimits.routes) { RouteSpec($1, at: $2, &$0) }
            rules = reader.list(root["rules"], at: "rules", most: ConfigLimits.rules) { Rule($1, at: $2, &$0) }
            neighbours = reader.list(root["neighbors"], at: "neighbors", most: ConfigLimits.neighbors) { NeighbourSpec($1, at: $2, &$0) }
            readDevice(root, &reader)
            readPinned(root["pinned"], &reader)
            for conflict in conflicts { reader.problem(conflict.path, conflict.text, conflict.code) }
        }
        if !reader.problems.isEmpty { throw InvalidConfig(problems: reader.problems, omitted: reader.omitted) }
    }

    private mutating func readPinned(_ json: JSONValue?, _ reader: inout ConfigReader) {
        let paths = reader.list(json, at: "pinned", most: ConfigLimits.pinned) { (reader, value, path) -> String? in
            guard let name = reader.string(value, at: path, bytes: ConfigLimits.pathBytes) else { return nil }
            if ConfigField.pinnable.contains(name) { return name }
            reader.problem(
                path, "\(ProblemText.quoted(name)) cannot be pinned; valid are fields and sections such as interface.mtu and sriov")
            return nil
        }
        pinned = paths.map { Set($0) }
    }

    private mutating func readDevice(_ root: [String: JSONValue], _ reader: inout ConfigReader) {
        if let json = root["ethtool"] {
            reader.object(json, at: "ethtool", fields: ["features", "privateFlags"]) { reader, ethtool in
                features = reader.map(
                    ethtool["features"], at: "ethtool.features", most: ConfigLimits.features, bytes: ConfigLimits.flagBytes
                ) { $0.bool($1, at: $2) }
                privateFlags = reader.map(
                    ethtool["privateFlags"], at: "ethtool.privateFlags", most: ConfigLimits.privateFlags, bytes: ConfigLimits.flagBytes
                ) { $0.bool($1, at: $2) }
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
                virtualFunction.vlan = reader.integer(values["vlan"], at: "sriov.vlan", in: ConfigLimits.functionVLAN).map { UInt16($0) }
                virtualFunction.isTrusted = reader.bool(values["trust"], at: "sriov.trust")
                virtualFunction.checksSpoofing = reader.bool(values["spoofCheck"], at: "sriov.spoofCheck")
                virtualFunction.minimalRate = reader.integer(values["minTxRate"], at: "sriov.minTxRate", in: ConfigLimits.number).map {
                    UInt32($0)
                }
                virtualFunction.maximalRate = reader.integer(values["maxTxRate"], at: "sriov.maxTxRate", in: ConfigLimits.number).map {
                    UInt32($0)
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
}

/// ethtool(8)'s names of features that differ from the kernel's names.
package enum EthtoolNames {
    private static let aliases = [
        "rx": ["rx-checksum"],
        "tx": ["tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-fcoe-crc", "tx-checksum-sctp"],
        "sg": ["tx-scatter-gather", "tx-scatter-gather-fraglist"],
        "tso": ["tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-tcp6-segmentation"],
        "ufo": ["tx-udp-fragmentation"], "gso": ["tx-generic-segmentation"], "gro": ["rx-gro"], "lro": ["rx-lro"],
        "rxvlan": ["rx-vlan-hw-parse"], "txvlan": ["tx-vlan-hw-insert"], "ntuple": ["rx-ntuple-filter"], "rxhash": ["rx-hashing"],
    ]

    /// The kernel's names for a feature. A driver may support only some of them.
    package static func kernelNames(_ name: String) -> [String] { aliases[name] ?? [name] }
}
