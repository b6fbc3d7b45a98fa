// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import ClaimPlanning
import FoundationEssentials
import Hardware
import Inspection
import Primitives
import ResourceAPI
import SliceModel
import Testbed
import Testing

/// Privileged settings, pins of classes, and limits of a whole claim.
struct PrivilegeTests {
    private static let driver = "dra.nearside"

    private static func planner() throws -> ClaimPlanner {
        let machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        return ClaimPlanner(
            PlannerInput(
                PlannerOptions(driver: driver),
                devices: Dictionary(machine.devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first })))
    }

    private static func claim(_ devices: [String], _ configs: [(AllocationConfig.Source, String)]) -> ResourceClaim {
        ResourceClaim(
            metadata: Metadata(name: "c", namespace: "ns", uid: "u1"),
            status: ResourceClaimStatus(
                allocation: AllocationResult(
                    devices: DeviceAllocation(
                        results: devices.enumerated().map {
                            AllocatedDevice(request: "nic\($0.offset)", driver: driver, pool: "node", device: $0.element)
                        },
                        config: configs.map {
                            AllocationConfig(source: $0.0, opaque: OpaqueConfig(driver: driver, parameters: Array($0.1.utf8)))
                        }))))
    }

    private static let nic = "pci-0000-0c-00-0"

    /// One setting of each privileged kind.
    private static let privileged = [
        ("interface.hardwareAddr", #"{"interface":{"hardwareAddr":"02:00:00:00:00:01"}}"#),
        ("interface.disableEbpfPrograms", #"{"interface":{"disableEbpfPrograms":true}}"#),
        ("interface.subInterface.mode", #"{"interface":{"subInterface":{"type":"macvlan","mode":"passthru"}}}"#),
        ("interface.subInterface.vlan", #"{"interface":{"subInterface":{"type":"vlan","vlan":7}}}"#),
        ("interface.sysctls", #"{"interface":{"sysctls":{"ipv4.rp_filter":2,"ipv4.proxy_arp":1}}}"#),
        ("ethtool.features", #"{"ethtool":{"features":{"tso":false,"rx-vlan-filter":false}}}"#),
        ("ethtool.privateFlags", #"{"ethtool":{"privateFlags":{"disable-fw-lldp":true}}}"#),
        ("rdma.management", #"{"rdma":{"management":true}}"#), ("sriov.vlan", #"{"sriov":{"vlan":0}}"#),
        ("sriov.trust", #"{"sriov":{"trust":true}}"#), ("sriov.spoofCheck", #"{"sriov":{"spoofCheck":false}}"#),
        ("sriov.minTxRate", #"{"sriov":{"minTxRate":5}}"#), ("sriov.maxTxRate", #"{"sriov":{"maxTxRate":0}}"#),
    ]

    /// The problems of a claim of one NIC.
    private func problems(_ configs: [(AllocationConfig.Source, String)], allowed: Set<String> = []) throws -> [PlanProblem] {
        var planner = try Self.planner()
        planner.input.options.allowedToClaims = allowed
        do throws(ClaimError) { _ = try planner.plan(Self.claim([Self.nic], configs), others: []) } catch { return error.problems }
        return []
    }

    @Test
    func `a privileged setting of a claim is refused with its author, and is valid from a class or if it is allowed`() throws {
        #expect(Self.privileged.map(\.0).sorted() == PrivilegedSetting.all.map(\.path).sorted())
        for (path, parameters) in Self.privileged {
            // A sriov setting needs a virtual function besides, which this NIC is not.
            let refusals = try problems([(.fromClaim, parameters)]).filter { $0.code != .notVirtualFunction }
            // For settings with names, the problem includes the name.
            let names = ["interface.sysctls": ".ipv4.proxy_arp", "ethtool.features": ".rx-vlan-filter"]
            let place = path + (names[path] ?? "")
            #expect(refusals.map(\.path) == [place] && refusals.map(\.code) == [.config], "\(refusals)")
            #expect(refusals.first?.object == "configuration 0 (FromClaim)")
            #expect(refusals.first?.cause.contains("--allow-claims=\(path)") == true, "\(refusals)")
            // A sriov setting needs a virtual function, which this NIC is not: any other reason is accepted here.
            for others in [try problems([(.fromClass, parameters)]), try problems([(.fromClaim, parameters)], allowed: [path])] {
                #expect(!others.contains { $0.code == .config }, "\(others)")
                #expect(others.isEmpty || path.hasPrefix("sriov") || path.hasPrefix("interface.hardwareAddr"), "\(others)")
            }
            let others = Set(PrivilegedSetting.all.map(\.path)).subtracting([path])
            #expect(
                try !problems([(.fromClaim, parameters)], allowed: others).isEmpty, "allowance of others: \(path)")
        }
    }

    @Test(arguments: [
        #"{"interface":{"name":"net1","mtu":4000,"addresses":[],"sysctls":{"ipv4.rp_filter":2,"ipv6.neigh.ucast_solicit":5}}}"#,
        #"{"interface":{"subInterface":{"type":"macvlan","mode":"bridge"}},"ethtool":{"features":{"tso":false}}}"#,
        #"{"interface":{"subInterface":{"type":"ipvlan"}},"workload":{"environment":true}}"#,
    ])
    func `settings without effects beyond the pod are valid in claims`(parameters: String) throws {
        #expect(try problems([(.fromClaim, parameters)]) == [])
    }

    @Test
    func `a claim cannot set fields that its class pins, and can set all others`() throws {
        let pins = #"{"interface":{"mtu":4000},"pinned":["interface.mtu","ethtool","interface.dhcp"]}"#
        #expect(try problems([(.fromClass, pins), (.fromClaim, #"{"interface":{"name":"net1"}}"#)]) == [])
        for (path, parameters) in [
            ("interface.mtu", #"{"interface":{"mtu":4000}}"#), ("ethtool.features", #"{"ethtool":{"features":{}}}"#),
            ("interface.addresses", #"{"interface":{"addresses":[]}}"#), ("interface.dhcp6", #"{"interface":{"dhcp6":false}}"#),
        ] {
            // In any order of the configurations.
            for configs in [[(.fromClass, pins), (.fromClaim, parameters)], [(.fromClaim, parameters), (.fromClass, pins)]]
                as [[(AllocationConfig.Source, String)]]
            {
                let found = try problems(configs)
                #expect(found.map(\.code) == [.config] && found.map(\.object) == ["request nic0"] && found.map(\.path) == [path])
            }
        }
        let own = try problems([(.fromClaim, #"{"pinned":["routes"]}"#)])
        #expect(own.map(\.description) == ["configuration 0 (FromClaim): pinned: is valid only in the configuration of a DeviceClass"])
        let unknown = try problems([(.fromClass, #"{"pinned":["interface.mut"]}"#)])
        #expect(unknown.map(\.code) == [.config] && unknown.map(\.path) == ["pinned[0]"])
    }

    @Test
    func `every field that can be pinned is found in a configuration with that field`() throws {
        let whole = try NetworkConfig(
            parameters: Array(
                #"""
                {"interface":{"name":"net1","mtu":9000,"addresses":[],"hardwareAddr":"02:00:00:00:00:01","gsoMaxSize":1,"groMaxSize":1,
                 "gsoIPv4MaxSize":1,"groIPv4MaxSize":1,"forwarding":true,"arpIgnore":1,"arpAnnounce":1,"acceptRA":1,"dhcp":false,
                 "dhcp6":false,"dhcpRoutes":[],"disableEbpfPrograms":true,"vrf":{"name":"v"},"sysctls":{}},"routes":[],"rules":[],"neighbors":[],
                 "ethtool":{"features":{},"privateFlags":{}},"rdma":{"management":true},
                 "sriov":{"vlan":1,"trust":true,"spoofCheck":true,"minTxRate":1,"maxTxRate":1},
                 "workload":{"environment":true,"ncclTopology":true}}
                """#.utf8))
        let child = try NetworkConfig(parameters: Array(#"{"interface":{"subInterface":{"type":"ipvlan"}}}"#.utf8))
        let sections = ConfigField.pinnable.filter { name in ConfigField.pinnable.contains { $0.hasPrefix("\(name).") } }
        #expect(whole.paths.union(child.paths).union(sections) == ConfigField.pinnable)
    }

    @Test
    func `conflicting settings are refused also if the class has one of them and the claim the other`() throws {
        let vrf = #"{"interface":{"vrf":{"name":"v"}}}"#
        let rules = #"{"rules":[{"source":"10.0.0.0/8","table":5}]}"#
        #expect(try problems([(.fromClass, vrf), (.fromClaim, rules)]).map(\.path) == ["rules"])
        func flags(_ first: Int) -> String {
            #"{"ethtool":{"features":{\#((first..<first + 40).map { #""n\#($0)":true"# }.joined(separator: ","))}}}"#
        }
        let both = try problems([(.fromClass, flags(0)), (.fromClaim, flags(40))])
        #expect(both.filter { $0.code == .config }.map(\.path) == ["ethtool.features"])
        #expect(both.first?.cause.contains("80") == true && both.first?.object == "request nic0")
    }

    @Test
    func `a claim with the maximum number of entries fits into the journal, and one more entry is refused`() throws {
        let planner = try Self.planner()
        let nics = planner.input.devices.filter { $0.value.kind == .nic && !$0.value.netdevs.isEmpty }.keys.sorted().prefix(8)
        #expect(nics.count == 8)
        let routes = (0..<128).map { #"{"destination":"2001:db8:1:\#($0)::/64","gateway":"fe80::1","metric":4294967295}"# }
        func configs(_ neighbours: Int) -> [(AllocationConfig.Source, String)] {
            let entries = (0..<neighbours).map { #"{"destination":"2001:db8::\#($0)","hardwareAddr":"02:00:00:00:00:01"}"# }
            return [
                (.fromClaim, #"{"routes":[\#(routes.joined(separator: ","))]}"#),
                (.fromClaim, #"{"neighbors":[\#(entries.joined(separator: ","))]}"#),
            ]
        }
        let plan = try planner.plan(Self.claim(Array(nics), configs(128)), others: []).plan
        #expect(try JSONEncoder().encode(plan).count < 512 << 10)
        let error = #expect(throws: ClaimError.self) { try planner.plan(Self.claim(Array(nics), configs(129)), others: []) }
        #expect(error?.problems.map(\.code) == [.tooManyEntries] && error?.problems.first?.cause.contains("2056") == true)
    }

    // MARK: Before a cluster sees it

    @Test
    func `claims and templates of a file are checked as claims, its classes as classes`() throws {
        let parameters = #"{"rdma":{"management":true}}"#
        let config = #"{"opaque":{"driver":"dra.nearside","parameters":\#(parameters)}}"#
        // With parameters of another driver that no value can hold.
        let other = #"{"opaque":{"parameters":\#(HostileJSON.lists),"driver":"other.example.com"}}"#
        let list = #"""
            {"items":[{"spec":{"devices":{"config":[\#(other),\#(config)]}},"kind":"ResourceClaim"},
             {"kind":"ResourceClaimTemplate","spec":{"spec":{"devices":{"config":[\#(config)]}}}},
             {"kind":"DeviceClass","spec":{"config":[\#(config)]}}],"kind":"List"}
            """#
        let check = try ConfigCheck(Array(list.utf8), driver: "dra.nearside")
        #expect(check.count == 3)
        #expect(
            check.problems.map(\.path) == [
                "items[0].spec.devices.config[1].opaque.parameters.rdma.management",
                "items[1].spec.spec.devices.config[0].opaque.parameters.rdma.management",
            ])
        #expect(try ConfigCheck(Array(list.utf8), driver: "dra.nearside", allowed: ["rdma.management"]).problems.isEmpty)
        let alone = try ConfigCheck(Array(parameters.utf8), driver: "dra.nearside")
        #expect(alone.problems.isEmpty && alone.notes.map(\.path) == ["rdma.management"])
    }

    @Test
    func `an unknown field in --allow-claims is refused with all known fields`() throws {
        #expect(try PrivilegedSetting.allowed("") == [] && PrivilegedSetting.allowed("sriov.vlan,rdma.management").count == 2)
        let error = #expect(throws: InputError.self) { try PrivilegedSetting.allowed("sriov.vlan,interface.mtu") }
        #expect(error?.code == .unknown && error?.object == "\"interface.mtu\"")
        for setting in PrivilegedSetting.all { #expect(error?.advice?.contains(setting.path) == true) }
    }
}
