// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import FoundationEssentials
import Inspection
import Linux
import NetworkModel
import Primitives
import ResourceAPI
import Testbed
import Testing

private func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text.utf8) }

struct NetworkConfigTests {
    /// A configuration with every field.
    private static let whole = #"""
        {"interface":{"name":"net1","mtu":9000,"addresses":["10.0.0.5/24","2001:db8::5/64"],"hardwareAddr":"02:00:00:00:00:01",
          "gsoMaxSize":65536,"groMaxSize":65537,"gsoIPv4MaxSize":65538,"groIPv4MaxSize":65539,"forwarding":false,"arpIgnore":2,
          "arpAnnounce":1,"acceptRA":0,"disableEbpfPrograms":true,"dhcp":false,"dhcp6":false,"vrf":{"name":"blue","table":77},
          "subInterface":{"type":"macvlan","mode":"private"},"sysctls":{"ipv4.rp_filter":2,"ipv6.neigh.ucast_solicit":"5"}},
         "routes":[{"destination":"10.1.0.0/16","gateway":"10.0.0.1","source":"10.0.0.5","table":9,"metric":5,"mtu":1400,"onLink":true},
          {"destination":"10.2.0.0/16","scope":253}],
         "neighbors":[{"destination":"10.0.0.9","hardwareAddr":"02:00:00:00:00:09"}],
         "ethtool":{"features":{"tso":false,"rx-gro":true},"privateFlags":{"x":true}},"pinned":["interface.mtu","sriov"],
         "rdma":{"management":true},"workload":{"environment":true,"ncclTopology":true}}
        """#

    @Test
    func `the versioned and the unversioned form are accepted with every field`() throws {
        let plain = try NetworkConfig(try json(Self.whole))
        let versioned = try NetworkConfig(
            try json(#"{"apiVersion":"nearside/v1alpha1","kind":"NetworkConfig","# + String(Self.whole.dropFirst())))
        #expect(plain == versioned)
        #expect(plain.interface.name == "net1" && plain.interface.mtu == 9000 && plain.interface.dhcp == false)
        #expect(plain.interface.addresses?.map(\.description) == ["10.0.0.5/24", "2001:db8::5/64"])
        #expect(plain.interface.hardwareAddress?.description == "02:00:00:00:00:01")
        #expect(plain.interface.vrf == VRF(name: "blue", table: 77))
        #expect(plain.interface.child == ChildInterface(kind: .macvlan, mode: 1))
        #expect(plain.routes?.map(\.destination.description) == ["10.1.0.0/16", "10.2.0.0/16"])
        #expect(plain.routes?[0].table == 9 && plain.routes?[0].metric == 5 && plain.routes?[0].mtu == 1400)
        #expect(plain.features == ["tso": false, "rx-gro": true] && plain.privateFlags == ["x": true])
        #expect(
            plain.interface.settings == [
                "ipv4/conf/forwarding": "0", "ipv6/conf/forwarding": "0", "ipv4/conf/arp_ignore": "2", "ipv4/conf/arp_announce": "1",
                "ipv6/conf/accept_ra": "0", "ipv4/conf/rp_filter": "2", "ipv6/neigh/ucast_solicit": "5",
            ])
    }

    @Test
    func `every field is in the schema, and every field of the schema is accepted`() throws {
        let schema = try json(try Files.readText("\(Place.project)/api/networkconfig.schema.json"))
        var paths: Set<String> = []
        func collect(_ schema: JSONValue, _ path: String) {
            if let items = schema["items"] { collect(items, path) }
            guard case .object(let properties)? = schema["properties"] else { return }
            for (name, property) in properties {
                paths.insert("\(path)/\(name)")
                collect(property, "\(path)/\(name)")
            }
        }
        collect(schema, "")
        // The error for an unknown key lists all known keys.
        var known: Set<String> = []
        func probe(_ path: [String], in lists: Set<String>) throws {
            var value = JSONValue.object(["?": .null])
            for name in path.reversed() { value = .object([name: lists.contains(name) ? .array([value]) : value]) }
            let error = #expect(throws: InvalidConfig.self) { try NetworkConfig(value) }
            let problem = try #require(error?.problems.first { $0.path.hasSuffix("?") })
            let names = try #require(problem.text.components(after: "fields are ")).split(separator: ", ").map(String.init)
            for name in names { known.insert("/" + (path + [name]).joined(separator: "/")) }
        }
        for path in [
            [], ["interface"], ["interface", "vrf"], ["interface", "subInterface"], ["routes"], ["rules"], ["neighbors"], ["ethtool"],
            ["rdma"],
            ["sriov"], ["workload"],
        ] { try probe(path, in: ["routes", "rules", "neighbors"]) }
        #expect(known.subtracting(["/profile"]).symmetricDifference(paths).sorted() == [])
    }

    @Test
    func `all problems are reported at once, each with its path`() throws {
        let error = #expect(throws: InvalidConfig.self) {
            try NetworkConfig(
                try json(
                    #"""
                    {"interface":{"name":"a name that is too long","mtu":67,"addresses":["10.0.0.5",7],"dhpc":true},
                     "routes":[{"gateway":"10.0.0.1"},{"destination":"10.1.0.1/16","gateway":"fe80::1"},{"destination":"10.3.0.0/16"}],
                     "kind":"Pod"}
                    """#))
        }
        #expect(
            error?.problems.map(\.path) == [
                "kind", "interface.dhpc", "interface.name", "interface.addresses[0]", "interface.addresses[1]", "interface.mtu",
                "routes[0].destination", "routes[1].destination", "routes[1].gateway", "routes[2].gateway",
            ])
    }

    @Test(arguments: [
        (#"{"profile":"fast"}"#, "profile"), (#"{"interface":{"name":"eth0"}}"#, "interface.name"),
        (#"{"interface":{"name":"a/b"}}"#, "interface.name"),
        (#"{"interface":{"dhcp":true,"addresses":[]}}"#, "interface.dhcp"),
        (#"{"interface":{"dhcp6":true,"addresses":["10.0.0.5/24","2001:db8::5/64"]}}"#, "interface.dhcp6"),
        (#"{"interface":{"dhcp6":"yes"}}"#, "interface.dhcp6"),
        (#"{"interface":{"hardwareAddr":"01:00:00:00:00:01"}}"#, "interface.hardwareAddr"),
        (#"{"interface":{"hardwareAddr":"00:00:00:00:00:00"}}"#, "interface.hardwareAddr"),
        (#"{"interface":{"arpIgnore":5}}"#, "interface.arpIgnore"),
        (#"{"interface":{"arpAnnounce":3}}"#, "interface.arpAnnounce"), (#"{"interface":{"forwarding":"yes"}}"#, "interface.forwarding"),
        (#"{"interface":{"gsoMaxSize":0}}"#, "interface.gsoMaxSize"), (#"{"interface":{"gsoMaxSize":-1}}"#, "interface.gsoMaxSize"),
        (#"{"interface":{"mtu":1e99}}"#, "interface.mtu"), (#"{"interface":{"mtu":100000}}"#, "interface.mtu"),
        (#"{"interface":{"vrf":{}}}"#, "interface.vrf.name"), (#"{"interface":{"vrf":{"name":"v","table":254}}}"#, "interface.vrf.table"),
        (#"{"interface":{"name":"v","vrf":{"name":"v"}}}"#, "interface.vrf.name"),
        (#"{"interface":{"vrf":{"name":"averylongvrfname"}}}"#, "interface.vrf.name"),
        (#"{"interface":{"vrf":{"name":"v"}},"rules":[{"source":"10.0.0.0/8","table":5}]}"#, "rules"),
        (#"{"interface":{"subInterface":{}}}"#, "interface.subInterface.type"),
        (#"{"interface":{"subInterface":{"type":"bond"}}}"#, "interface.subInterface.type"),
        (#"{"interface":{"subInterface":{"type":"vlan"}}}"#, "interface.subInterface.vlan"),
        (#"{"interface":{"subInterface":{"type":"ipvlan","mode":"bridge"}}}"#, "interface.subInterface.mode"),
        (#"{"interface":{"subInterface":{"type":"macvlan","vlan":5}}}"#, "interface.subInterface.vlan"),
        (#"{"interface":{"subInterface":{"type":"ipvlan"},"hardwareAddr":"02:00:00:00:00:01"}}"#, "interface.hardwareAddr"),
        (#"{"interface":{"sysctls":{"kernel.x":1}}}"#, "interface.sysctls.kernel.x"),
        (#"{"interface":{"sysctls":{"ipv4.../x":1}}}"#, "interface.sysctls.ipv4.../x"),
        (#"{"interface":{"sysctls":{"ipv4.rp_filter":[]}}}"#, "interface.sysctls.ipv4.rp_filter"),
        (#"{"rules":[{"table":5}]}"#, "rules[0]"), (#"{"rules":[{"source":"10.0.0.0/8"}]}"#, "rules[0].table"),
        (#"{"rules":[{"source":"10.0.0.0/8","table":255}]}"#, "rules[0].table"),
        (#"{"rules":[{"source":"10.0.0.0/8","table":0}]}"#, "rules[0].table"),
        (#"{"rules":[{"source":"10.0.0.0/8","table":5,"priority":32768}]}"#, "rules[0].priority"),
        (#"{"rules":[{"source":"10.0.0.0/8","destination":"::/0","table":5}]}"#, "rules[0].destination"),
        (#"{"neighbors":[{"ipAddress":"10.0.0.1","hardwareAddr":"02:00:00:00:00:01"}]}"#, "neighbors[0].ipAddress"),
        (#"{"neighbors":[{"destination":"10.0.0.1"}]}"#, "neighbors[0].hardwareAddr"),
        (#"{"ethtool":{"features":{"tso":1}}}"#, "ethtool.features.tso"),
        (#"{"sriov":{"vlan":4095}}"#, "sriov.vlan"), (#"{"sriov":{"minTxRate":9,"maxTxRate":5}}"#, "sriov.minTxRate"),
        (#"{"sriov":{"vlan":5},"interface":{"subInterface":{"type":"macvlan"}}}"#, "sriov"), (#"{"rdma":{"x":1}}"#, "rdma.x"),
        (#"{"routes":[{"destination":"10.0.0.0/8","scope":253,"onLink":true}]}"#, "routes[0].onLink"),
        (#"{"routes":[{"destination":"10.0.0.0/8","scope":100,"gateway":"10.0.0.1"}]}"#, "routes[0].scope"),
        (#"{"interface":{"addresses":["10.0.0.5/24","10.0.0.5/16"]}}"#, "interface.addresses"),
    ])
    func `each mistake is reported with its path`(text: String, path: String) throws {
        let error = #expect(throws: InvalidConfig.self) { try NetworkConfig(try json(text)) }
        #expect(error?.problems.contains { $0.path == path } == true, "\(error?.description ?? "")")
    }

    @Test(arguments: ["[]", "7", "null", #""text""#, #"{"interface":[]}"#, #"{"routes":{}}"#, #"{"routes":[1]}"#])
    func `values of the wrong type are refused`(text: String) {
        #expect(throws: InvalidConfig.self) { try NetworkConfig(try json(text)) }
    }

    @Test
    func `a claim's configuration overlays its class's field by field, and false and 0 count as values`() throws {
        let base = try NetworkConfig(
            try json(
                #"{"interface":{"name":"a","mtu":1500,"forwarding":true,"acceptRA":2,"dhcp":true,"sysctls":{"ipv4.rp_filter":1,"ipv4.arp_filter":1}},"routes":[],"ethtool":{"features":{"a":true,"b":true}},"workload":{"environment":true}}"#
            ))
        let over = try NetworkConfig(
            try json(
                #"{"interface":{"mtu":9000,"addresses":[],"forwarding":false,"acceptRA":0,"sysctls":{"ipv4.arp_filter":0}},"ethtool":{"features":{"b":false}},"workload":{"environment":false}}"#
            ))
        let merged = base.overlaid(by: over)
        #expect(merged.interface.name == "a" && merged.interface.mtu == 9000)
        #expect(merged.interface.addresses == [] && merged.interface.dhcp == nil, "an empty list says: none; it replaces DHCP")
        #expect(merged.interface.forwarding == false && merged.interface.acceptRA == 0 && merged.workload.environment == false)
        #expect(merged.interface.sysctls == ["ipv4.rp_filter": "1", "ipv4.arp_filter": "0"] && merged.features == ["a": true, "b": false])
        #expect(merged.routes == [])
        #expect(over.overlaid(by: base).interface.addresses == nil && over.overlaid(by: base).interface.dhcp == true)
    }

    /// The class's, the claim's, and what comes of it: the addresses, and whether DHCPv6 is asked.
    private static let replacements: [(base: String, over: String, addresses: [String]?, asks: Bool?)] = [
        (#"{"dhcp6":true}"#, #"{"addresses":["10.0.0.5/24"]}"#, ["10.0.0.5/24"], true),
        (#"{"dhcp6":true}"#, #"{"addresses":["10.0.0.5/24","2001:db8::5/64"]}"#, ["10.0.0.5/24", "2001:db8::5/64"], nil),
        (#"{"dhcp6":true}"#, #"{"addresses":[]}"#, [], nil),
        (#"{"addresses":["10.0.0.5/24","2001:db8::5/64"]}"#, #"{"dhcp6":true}"#, ["10.0.0.5/24"], true),
        (#"{"dhcp6":true}"#, #"{"dhcp6":false}"#, nil, false), (#"{"dhcp":true}"#, #"{"dhcp6":true}"#, nil, true),
    ]

    @Test
    func `DHCPv6 and IPv6 addresses replace each other, and IPv4 is unchanged`() throws {
        func config(_ interface: String) throws -> NetworkConfig { try NetworkConfig(try json("{\"interface\":\(interface)}")) }
        for (base, over, addresses, asks) in Self.replacements {
            let merged = try config(base).overlaid(by: try config(over)).interface
            #expect(merged.addresses?.map(\.description) == addresses && merged.dhcp6 == asks, "\(base) under \(over)")
        }
    }

    @Test
    func `the table of a VRF without a number equals DRANET's`() {
        // FNV-1a of "blue" is 0x82fbf5cd.
        #expect(VRF(name: "blue").table == 0x82fb_f5cd % 1000 + 1000)
    }

    @Test
    func `noise never traps`() throws {
        var generator = SplitMix(seed: 7)
        let words = try json(Self.whole)
        func mutate(_ value: JSONValue) -> JSONValue {
            if Int.random(in: 0..<12, using: &generator) == 0 {
                return [
                    .null, .bool(true), .integer(.max), .integer(.min), .number(-1e300), .string(""), .string("255.255.255.255/32"),
                    .array([]), .object([:]),
                    .string(String(repeating: "é", count: 9)),
                ].randomElement(using: &generator) ?? .null
            }
            switch value {
            case .object(let members): return .object(members.mapValues(mutate))
            case .array(let values): return .array(values.map(mutate))
            default: return value
            }
        }
        for _ in 0..<5000 {
            let value = mutate(words)
            do throws(InvalidConfig) { _ = try NetworkConfig(value) } catch { #expect(!error.problems.isEmpty) }
        }
    }

    // MARK: Files

    @Test
    func `a file of claims and classes is checked as a whole, and other drivers' configurations are ignored`() throws {
        func config(_ driver: String, _ parameters: String) -> String { #"{"opaque":{"driver":"\#(driver)","parameters":\#(parameters)}}"# }
        let bad = #"{"interface":{"mtu":1}}"#
        let claim =
            #"{"kind":"ResourceClaim","spec":{"devices":{"config":[\#(config("dra.nearside", "{}")),\#(config("dra.nearside", bad))]}}}"#
        let template = #"{"kind":"ResourceClaimTemplate","spec":{"spec":{"devices":{"config":[\#(config("dra.nearside", bad))]}}}}"#
        let shared = #"{"kind":"DeviceClass","spec":{"config":[\#(config("other", bad)),\#(config("dra.nearside", bad))]}}"#
        let list = #"{"kind":"List","items":[\#(claim),\#(template),\#(shared),{"kind":"Pod"}]}"#
        let check = try ConfigCheck(Array(list.utf8), driver: "dra.nearside")
        #expect(check.count == 4)
        #expect(
            check.problems.map(\.path) == [
                "items[0].spec.devices.config[1].opaque.parameters.interface.mtu",
                "items[1].spec.spec.devices.config[0].opaque.parameters.interface.mtu",
                "items[2].spec.config[1].opaque.parameters.interface.mtu",
            ])
        #expect(try ConfigCheck(Array(list.utf8), driver: "other").problems.count == 1)
        #expect(try ConfigCheck(Array(bad.utf8), driver: "x").problems.map(\.path) == ["interface.mtu"])
        let two = try ConfigCheck(Array("{\n\"interface\": {}\n}\n{\n\"interface\": {\"mtu\": 1}\n}\n".utf8), driver: "x")
        #expect(two.problems.map(\.path) == ["object 1: interface.mtu"] && two.count == 2)
        for text in ["", "kind: Pod", "[]", "7"] {
            let error = #expect(throws: InputError.self) { try ConfigCheck(Array(text.utf8), driver: "x") }
            #expect(error?.code == .malformed)
        }
    }
}

extension String {
    /// Returns the rest after the first occurrence of a text.
    fileprivate func components(after text: String) -> String? { firstRange(of: text).map { String(self[$0.upperBound...]) } }
}
