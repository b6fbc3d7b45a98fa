// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import JournalModel
import NetworkModel
import ResourceAPI
import Testing

/// Refused configurations of interfaces, by the code and the field of each problem, and plans of accepted ones.
struct InterfacePlannerTests {
    private static let nic = ClaimPlannerTests.nic
    private static let second = ClaimPlannerTests.secondNIC

    /// A planner whose second NIC is a virtual function of the first.
    private static func planner() throws -> ClaimPlanner {
        var planner = try ClaimPlannerTests.planner()
        planner.input.devices[nic]?.netdevs[0].mtu = 4000
        planner.input.devices[nic]?.netdevs[0].mac = HardwareAddress(parsing: "02:00:00:00:00:10")
        planner.input.devices[nic]?.netdevs[0].permanentMAC = HardwareAddress(parsing: "02:00:00:00:00:11")
        planner.input.devices[nic]?.netdevs[0].addresses = ["192.0.2.7/24"].compactMap { IPPrefix(parsing: $0) }
        planner.input.devices[nic]?.netdevs[0].minimalMTU = 1280
        planner.input.devices[nic]?.netdevs[0].maximalMTU = 9000
        planner.input.devices[second]?.netdevs[0].mac = HardwareAddress(parsing: "02:00:00:00:00:20")
        planner.input.devices[second]?.netdevs[0].permanentMAC = HardwareAddress(parsing: "02:00:00:00:00:21")
        let parent = planner.input.devices[nic]?.function?.address
        planner.input.devices[second]?.function?.physicalFunction = parent
        planner.input.devices[second]?.function?.virtualFunctionIndex = 3
        planner.input.facts = PlanningFacts(interfaces: ["ib0": InterfaceFacts(features: ["rx-gro"], privateFlags: [])])
        return planner
    }

    private static func plan(
        _ json: String, _ devices: [String], share: String? = nil, admin: Bool? = nil
    ) throws(ClaimError) -> ClaimPlanner.Outcome {
        let config = try? ClaimPlannerTests.config(json, .fromClass)
        var claim = ClaimPlannerTests.claim(devices.map { ("nic", $0) }, config: config.map { [$0] } ?? [])
        for index in devices.indices {
            claim.status?.allocation?.devices.results?[index].shareID = share
            claim.status?.allocation?.devices.results?[index].adminAccess = admin
        }
        guard let planner = try? planner() else { throw ClaimError(.unreadable, object: "planner", "it cannot be made") }
        return try planner.plan(claim, others: [])
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var devices: [String]
        var share: String?
        var code: PlanProblem.Code?
        var path: String?

        /// - Parameter code: nil for an accepted configuration.
        init(_ config: String, _ code: PlanProblem.Code?, _ path: String? = nil, on devices: [String] = [nic], share: String? = nil) {
            (testDescription, self.devices, self.share, self.code, self.path) = (config, devices, share, code, path)
        }
    }

    private static let v6 = #""destination":"2001:db8:9::/48","gateway":"2001:db8::1""#
    private static let refusals: [Refusal] = [
        Refusal(#"{"interface":{"mtu":1279}}"#, .mtu, "interface.mtu"), Refusal(#"{"interface":{"mtu":1280}}"#, nil),
        Refusal(#"{"interface":{"mtu":9000}}"#, nil), Refusal(#"{"interface":{"mtu":9001}}"#, .mtu, "interface.mtu"),
        // The limit of a stacked interface is the MTU below it, and of a virtual function the MTU of its physical function.
        Refusal(#"{"interface":{"mtu":4000,"subInterface":{"type":"macvlan"}}}"#, nil),
        Refusal(#"{"interface":{"mtu":4001,"subInterface":{"type":"macvlan"}}}"#, .mtu, "interface.mtu"),
        Refusal(#"{"interface":{"mtu":4000}}"#, nil, on: [second]),
        Refusal(#"{"interface":{"mtu":4001}}"#, .mtu, "interface.mtu", on: [second]),
        Refusal(
            #"{"interface":{"hardwareAddr":"80:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01"}}"#, .hardwareAddress,
            "interface.hardwareAddr"),
        Refusal(#"{"interface":{"name":"net","addresses":["192.0.2.9/24"]}}"#, .addressShared, "interface.addresses", on: [nic, second]),
        Refusal(#"{"interface":{"name":"net","addresses":[]}}"#, nil, on: [nic, second]),
        Refusal(
            #"{"interface":{"name":"net","hardwareAddr":"02:00:00:00:00:01"}}"#, .addressShared, "interface.hardwareAddr",
            on: [nic, second]),
        Refusal(#"{"interface":{"name":"fourteen-chars","mtu":1500}}"#, nil, on: [nic, second]),
        Refusal(#"{"interface":{"name":"fifteen-chars-x","mtu":1500}}"#, .nameUnusable, "interface.name", on: [nic, second]),
        Refusal(#"{"interface":{"mtu":1500}}"#, .childMissing, "interface.subInterface", share: "s"),
        Refusal(#"{"interface":{"subInterface":{"type":"macvlan"}}}"#, nil, share: "s"),
        Refusal(#"{"interface":{"dhcp":true,"subInterface":{"type":"ipvlan"}}}"#, .dhcpOnIPVLAN, "interface.dhcp"),
        Refusal(#"{"interface":{"dhcp6":true,"subInterface":{"type":"ipvlan"}}}"#, .dhcpOnIPVLAN, "interface.dhcp6"),
        Refusal(#"{"interface":{"dhcp":true,"subInterface":{"type":"macvlan"}}}"#, nil),
        // Sources and gateways: in the host's addresses, in the claim's addresses, or reachable over a lease.
        Refusal(#"{"routes":[{"destination":"10.0.0.0/8","scope":253,"source":"192.0.2.7"}]}"#, nil),
        Refusal(#"{"routes":[{"destination":"10.0.0.0/8","scope":253,"source":"192.0.2.8"}]}"#, .routeSource, "routes[0].source"),
        Refusal(#"{"interface":{"dhcp":true},"routes":[{"destination":"10.0.0.0/8","scope":253,"source":"192.0.2.8"}]}"#, nil),
        Refusal(
            #"{"interface":{"subInterface":{"type":"macvlan"}},"routes":[{"destination":"10.0.0.0/8","scope":253,"source":"192.0.2.7"}]}"#,
            .routeSource,
            "routes[0].source"),
        Refusal(#"{"routes":[{"destination":"10.0.0.0/8","gateway":"192.0.2.1"}]}"#, nil),
        Refusal(#"{"interface":{"dhcp":false},"routes":[{"destination":"10.0.0.0/8","gateway":"192.0.2.1"}]}"#, nil),
        Refusal(#"{"routes":[{"destination":"10.0.0.0/8","gateway":"192.0.3.1"}]}"#, .routeGateway, "routes[0].gateway"),
        Refusal(#"{"routes":[{"destination":"10.0.0.0/8","gateway":"192.0.3.1","onLink":true}]}"#, nil),
        Refusal(#"{"routes":[{"destination":"192.0.3.0/24","scope":253},{"destination":"10.0.0.0/8","gateway":"192.0.3.1"}]}"#, nil),
        Refusal(#"{"interface":{"dhcp":true},"routes":[{"destination":"10.0.0.0/8","gateway":"192.0.3.1"}]}"#, nil),
        Refusal(
            #"{"interface":{"dhcp6":true},"routes":[{"destination":"10.0.0.0/8","gateway":"192.0.2.1"}]}"#, .routeGateway,
            "routes[0].gateway"),
        Refusal(#"{"interface":{"dhcp6":true},"routes":[{\#(v6)}]}"#, nil),
        Refusal(#"{"routes":[{\#(v6)}]}"#, .routeGateway, "routes[0].gateway"),
        Refusal(#"{"ethtool":{"features":{"gro":true}}}"#, nil),
        Refusal(#"{"ethtool":{"features":{"lro":true}}}"#, .feature, "ethtool.features.lro"),
        Refusal(#"{"ethtool":{"privateFlags":{"y":true}}}"#, .privateFlag, "ethtool.privateFlags.y"),
        Refusal(#"{"ethtool":{"features":{"lro":true},"privateFlags":{"y":true}}}"#, nil, on: [second]),
        Refusal(#"{"sriov":{"vlan":5}}"#, .notVirtualFunction, "sriov"), Refusal(#"{"sriov":{"vlan":5}}"#, nil, on: [second]),
        Refusal(#"{"interface":{"mtu":1500}}"#, .unusedConfig, nil, on: [ClaimPlannerTests.gpu]),
    ]

    @Test(arguments: refusals)
    private func `a configuration that its interface does not support is refused with a code and its field`(refusal: Refusal) throws {
        let plan = { () throws(ClaimError) in try Self.plan(refusal.testDescription, refusal.devices, share: refusal.share) }
        guard let code = refusal.code else {
            #expect(throws: Never.self) { _ = try plan() }
            return
        }
        let error = #expect(throws: ClaimError.self) { _ = try plan() }
        #expect(error?.code == .invalid && Set(error?.problems.map(\.code) ?? []) == [code], "\(error?.description ?? "")")
        #expect(error?.problems.first?.path == refusal.path && error?.problems.first?.object == "request nic")
    }

    @Test
    func `a device with two interfaces has a plan for the first, which limits its virtual functions`() throws {
        var planner = try Self.planner()
        planner.input.devices[Self.nic]?.netdevs.append(Netdev(name: "ib9"))
        #expect(try planner.plan(ClaimPlannerTests.claim([("nic", Self.nic)]), others: []).plan.devices[0].interface?.hostName == "ib0")
        let config = try ClaimPlannerTests.config(#"{"interface":{"mtu":4001}}"#, .fromClass)
        let claim = ClaimPlannerTests.claim([("nic", Self.second)], config: [config])
        let error = #expect(throws: ClaimError.self) { try planner.plan(claim, others: []) }
        #expect(error?.problems.map(\.code) == [.mtu])
    }

    @Test
    func `each field of a configuration is in the plan`() throws {
        let json = #"""
            {"interface":{"name":"net1","mtu":2000,"addresses":["10.0.0.1/24"],"dhcpRoutes":["10.9.0.0/16"],"gsoMaxSize":1,"groMaxSize":2,
            "gsoIPv4MaxSize":3,"groIPv4MaxSize":4,"disableEbpfPrograms":true,"arpIgnore":1},
            "routes":[{"destination":"10.1.0.0/16","gateway":"10.0.0.2","source":"10.0.0.1","table":7,"metric":8,"mtu":1400,"onLink":true}],
            "rules":[{"source":"10.0.0.1/32","destination":"10.2.0.0/16","table":7,"priority":9}],
            "neighbors":[{"destination":"10.0.0.2","hardwareAddr":"02:00:00:00:00:01"}],"ethtool":{"features":{"gro":false}}}
            """#
        let plan = try #require(try Self.plan(json, [Self.nic]).plan.devices.first?.interface)
        var expected = InterfacePlan(
            hostName: "ib0", name: "net1", mtu: 2000, addresses: [try #require(IPPrefix(parsing: "10.0.0.1/24"))])
        expected.permanentAddress = HardwareAddress(parsing: "02:00:00:00:00:11")
        expected.parentDevice = plan.parentDevice
        var route = RouteSpec(
            destination: try #require(IPPrefix(parsing: "10.1.0.0/16")), gateway: IPAddress(parsing: "10.0.0.2"),
            source: IPAddress(parsing: "10.0.0.1"))
        (route.table, route.metric, route.mtu, route.isOnLink) = (7, 8, 1400, true)
        expected.routes = [route]
        expected.rules = [
            Rule(source: IPPrefix(parsing: "10.0.0.1/32"), table: 7, destination: IPPrefix(parsing: "10.2.0.0/16"), priority: 9)
        ]
        expected.neighbours = [
            NeighbourSpec(
                address: try #require(IPAddress(parsing: "10.0.0.2")),
                hardwareAddress: try #require(HardwareAddress(parsing: "02:00:00:00:00:01")))
        ]
        expected.sizes = SegmentSizes(gso: 1, gro: 2, gsoIPv4: 3, groIPv4: 4)
        expected.sysctls = ["ipv4/conf/arp_ignore": "1"]
        expected.features = ["rx-gro": false]
        expected.detachesPrograms = true
        #expect(plan == expected)
    }

    @Test
    func `a stacked interface has no addresses of the host, and an interface with leases waits for them`() throws {
        let stacked = try Self.plan(#"{"interface":{"subInterface":{"type":"vlan","vlan":7}}}"#, [Self.nic]).plan.devices[0].interface
        #expect(stacked?.child == ChildInterface(kind: .vlan, vlan: 7) && stacked?.addresses == [])
        let leased = try Self.plan(
            #"{"interface":{"dhcp":true,"dhcp6":true,"dhcpRoutes":["10.0.0.0/8"],"subInterface":{"type":"macvlan"}}}"#, [Self.nic]
        ).plan.devices[0].interface
        #expect(leased?.addresses == nil && leased?.dhcp == true && leased?.dhcp6 == true && leased?.dhcpRoutes?.count == 1)
        let own = try Self.plan(#"{"interface":{"dhcp6":true,"dhcpRoutes":["10.0.0.0/8"]}}"#, [Self.nic]).plan.devices[0].interface
        #expect(own?.dhcp == nil && own?.dhcpRoutes == nil && own?.addresses == nil)
        let domain = try Self.plan(#"{"interface":{"vrf":{"name":"red","table":5}}}"#, [Self.nic]).plan.devices[0].interface?.vrf
        #expect(domain == VRF(name: "red", table: 5))
        let plain = try Self.plan("{}", [Self.nic]).plan.devices[0].interface
        #expect(plain?.addresses == nil && plain?.sizes == nil && plain?.sysctls == nil && plain?.features == nil)
        #expect(plain?.detachesPrograms == nil && plain?.dhcp6 == nil && plain?.privateFlags == nil)
    }

    @Test
    func `a device with admin access stays on the host, and a virtual function has no permanent address`() throws {
        let monitored = try Self.plan("{}", [Self.nic], admin: true).plan.devices[0]
        #expect(monitored.interface == nil && monitored.virtualFunction == nil && monitored.rdmaDevice == nil)
        let virtual = try Self.plan("{}", [Self.second]).plan.devices[0]
        #expect(virtual.interface?.permanentAddress == nil && virtual.virtualFunction == nil)
        let settings = #"{"interface":{"hardwareAddr":"02:00:00:00:00:01"},"sriov":{"minTxRate":5,"maxTxRate":6}}"#
        let function = try #require(try Self.plan(settings, [Self.second]).plan.devices[0].virtualFunction)
        #expect(
            function.number == 3 && function.parent == "ib0" && function.settings.minimalRate == 5 && function.settings.maximalRate == 6)
        #expect(function.settings.hardwareAddress == HardwareAddress(parsing: "02:00:00:00:00:01") && function.settings.vlan == nil)
        let address = #"{"interface":{"hardwareAddr":"02:00:00:00:00:01"}}"#
        #expect(try Self.plan(address, [Self.second]).plan.devices[0].virtualFunction?.settings.hardwareAddress != nil)
        // The address of a stacked interface is not the function's.
        let stacked = #"{"interface":{"hardwareAddr":"02:00:00:00:00:01","subInterface":{"type":"macvlan"}}}"#
        #expect(try Self.plan(stacked, [Self.second]).plan.devices[0].virtualFunction == nil)
    }

    @Test
    func `the description of an interface has the host's addresses, unless the interface is created for the pod`() throws {
        var planner = try Self.planner()
        planner.input.options.tellsDevices = true
        func data(_ json: String) throws -> NetworkDeviceData? {
            let claim = ClaimPlannerTests.claim([("nic", Self.nic)], config: [try ClaimPlannerTests.config(json, .fromClass)])
            return try planner.plan(claim, others: []).metadata["nic"]?.requests.first?.devices.first?.networkData
        }
        let own = try data("{}")
        #expect(own?.hardwareAddress == "02:00:00:00:00:10" && own?.ips == ["192.0.2.7/24"] && own?.interfaceName == "ib0")
        let stacked = try data(#"{"interface":{"subInterface":{"type":"macvlan"}}}"#)
        #expect(stacked?.hardwareAddress == nil && stacked?.ips == nil)
        let set = try data(
            #"{"interface":{"addresses":["192.0.2.9/24"],"hardwareAddr":"02:00:00:00:00:01","subInterface":{"type":"macvlan"}}}"#)
        #expect(set?.hardwareAddress == "02:00:00:00:00:01" && set?.ips == ["192.0.2.9/24"])
    }
}
