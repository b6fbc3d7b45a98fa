// SPDX-License-Identifier: Apache-2.0

import CDI
import ClaimConfig
import ClaimPlanning
import FoundationEssentials
import Hardware
import JournalModel
import NetworkModel
import ResourceAPI
import SliceModel
import Testing

struct ClaimPlannerTests {
    static let driver = "dra.nearside"

    static func planner(_ name: String = "hgx-a100") throws -> ClaimPlanner {
        let machine = try #require(try MachineDescription.embedded(name)).machine
        return ClaimPlanner(
            PlannerInput(
                PlannerOptions(driver: driver),
                devices: Dictionary(machine.devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first })))
    }

    /// The CDI specification that `nearside-nri` builds from a plan.
    static func spec(_ outcome: ClaimPlanner.Outcome) throws -> Spec? {
        try SpecPlanner(
            driver: driver, gate: GateHook(path: "/opt/nearside-gate", socket: "/run/nearside-nri/nri.sock", timeout: .seconds(30)),
            workloads: "/run/nri/workloads"
        )
        .spec(outcome.plan)
    }

    static func claim(
        _ devices: [(request: String, device: String)], config: [AllocationConfig] = [], uid: String = "u1", pods: [String] = ["p1"]
    ) -> ResourceClaim {
        ResourceClaim(
            metadata: Metadata(name: "c", namespace: "ns", uid: uid),
            status: ResourceClaimStatus(
                allocation: AllocationResult(
                    devices: DeviceAllocation(
                        results: devices.map { AllocatedDevice(request: $0.request, driver: driver, pool: "node", device: $0.device) }
                            + [AllocatedDevice(request: "other", driver: "gpu.example.com", pool: "node", device: "gpu-0")],
                        config: config)),
                reservedFor: pods.map { ConsumerReference(resource: "pods", name: $0, uid: $0) }))
    }

    static func config(_ source: AllocationConfig.Source, _ name: String, requests: [String]? = nil) -> AllocationConfig {
        AllocationConfig(
            source: source, requests: requests,
            opaque: OpaqueConfig(driver: driver, parameters: .object(["interface": .object(["name": .string(name)])])))
    }

    static let nic = "pci-0000-0c-00-0"
    static let secondNIC = "pci-0000-12-00-0"
    static let gpu = "pci-0000-07-00-0"

    @Test
    func `shares of one device go to several claims, and a whole allocation to one claim`() throws {
        let planner = try Self.planner("aws-p5")
        let efa = "pci-0000-4f-00-0"
        func shared(_ uid: String, _ shares: [String?], config: [AllocationConfig] = []) -> ResourceClaim {
            var claim = Self.claim(shares.map { _ in ("efa", efa) }, config: config, uid: uid)
            for (index, share) in shares.enumerated() { claim.status?.allocation?.devices.results?[index].shareID = share }
            return claim
        }
        let first = try planner.plan(shared("u1", ["aaaaaaaa-1", "bbbbbbbb-2"]), others: [])
        #expect(first.plan.devices.map(\.shareID) == ["aaaaaaaa-1", "bbbbbbbb-2"])
        #expect(Set(try Self.spec(first)?.devices.map(\.name) ?? []).count == 2)
        #expect(try Self.spec(first)?.devices.allSatisfy { $0.containerEdits.deviceNodes?.isEmpty == false } == true)
        let second = try planner.plan(shared("u2", ["cccccccc-3"]), others: [first.plan])
        #expect(second.plan.devices.map(\.device) == [efa])
        let whole = #expect(throws: ClaimError.self) { try planner.plan(shared("u3", [nil]), others: [first.plan]) }
        #expect(whole?.code == .conflict && whole?.problems.map(\.code) == [.deviceHeld])
        let config = #expect(throws: ClaimError.self) {
            try planner.plan(shared("u4", ["d"], config: [Self.config(.fromClaim, "net1")]), others: [])
        }
        #expect(config?.code == .invalid && config?.problems.map(\.code) == [.unusedConfig])
    }

    @Test
    func `a pair device stands for all its members, and keeps them when pairs change`() throws {
        var planner = try Self.planner()
        planner.input.groups = ["pair-2": [Self.gpu, Self.nic], "pairs-2-1": [Self.gpu, Self.nic, "pci-0000-0f-00-0", Self.secondNIC]]
        let claim = Self.claim([("pair", "pair-2")], config: [Self.config(.fromClaim, "net1")])
        let outcome = try planner.plan(claim, others: [])
        #expect(outcome.plan.devices.map(\.device) == [Self.gpu, Self.nic])
        #expect(outcome.plan.devices.map(\.group) == ["pair-2", "pair-2"])
        // A single interface is not numbered, even if the pair has other devices.
        #expect(outcome.plan.devices.map(\.interface?.name) == [nil, "net1"])
        #expect(try Self.spec(outcome)?.devices.count == 2)
        planner.input.groups["pair-2"] = [Self.gpu, Self.secondNIC]
        #expect(try planner.plan(claim, others: [outcome.plan]) == outcome)
        #expect(try planner.plan(claim, others: []) != outcome)
        // Several interfaces are numbered.
        let set = try planner.plan(Self.claim([("set", "pairs-2-1")], config: [Self.config(.fromClaim, "net")], uid: "u2"), others: [])
        #expect(set.plan.devices.compactMap(\.interface?.name) == ["net0", "net1"])
        // A member is held by each device that contains it.
        #expect(throws: ClaimError.self) { try planner.plan(Self.claim([("nic", Self.nic)], uid: "u3"), others: [outcome.plan]) }
        #expect(throws: ClaimError.self) { try planner.plan(Self.claim([("set", "pairs-2-1")], uid: "u4"), others: [outcome.plan]) }
    }

    @Test
    func `a pair gives the pod its interface, its nodes and the gate`() throws {
        let outcome = try Self.planner().plan(
            Self.claim([("gpu", Self.gpu), ("nic", Self.nic)], config: [Self.config(.fromClaim, "net1", requests: ["nic"])]), others: [])
        #expect(outcome.plan.pods == ["p1"])
        // Workloads get descriptions of devices only if the operator requests them.
        #expect(outcome.plan.containers?.describedRequests ?? [] == [] && outcome.metadata.isEmpty)
        #expect(outcome.plan.devices.map(\.interface?.name) == [nil, "net1"])
        #expect(outcome.plan.devices.map(\.interface?.hostName) == [nil, "ib0"])
        let spec = try #require(try Self.spec(outcome))
        #expect(spec.kind == "dra.nearside/claim")
        #expect(spec.devices.map(\.name) == ["u1-pci-0000-07-00-0", "u1-pci-0000-0c-00-0"])
        #expect(spec.devices.map { $0.containerEdits.deviceNodes?.map(\.path) } == [["/dev/nvidia0"], ["/dev/infiniband/uverbs0"]])
        #expect(spec.containerEdits?.hooks?.map(\.args) == [["nearside-gate", "--claim", "u1", "--socket", "/run/nearside-nri/nri.sock"]])
        #expect(
            outcome.plan.devices.map(\.cdiDeviceIDs) == [
                ["dra.nearside/claim=u1-pci-0000-07-00-0"], ["dra.nearside/claim=u1-pci-0000-0c-00-0"],
            ])
    }

    @Test
    func `without an interface a container has no gate`() throws {
        let outcome = try Self.planner().plan(Self.claim([("gpu", Self.gpu)]), others: [])
        #expect(try Self.spec(outcome)?.containerEdits == nil)
        #expect(!outcome.plan.hasInterfaces)
    }

    @Test
    func `the claim's configuration has precedence over the class's, and applies to sub-requests`() throws {
        let claim = Self.claim(
            [("nic/fast", Self.nic)], config: [Self.config(.fromClaim, "mine", requests: ["nic"]), Self.config(.fromClass, "theirs")])
        #expect(try Self.planner().plan(claim, others: []).plan.devices.map(\.interface?.name) == ["mine"])
    }

    @Test
    func `a name for several devices is numbered`() throws {
        let claim = Self.claim([("nic", Self.nic), ("nic", Self.secondNIC)], config: [Self.config(.fromClaim, "rdma")])
        #expect(try Self.planner().plan(claim, others: []).plan.devices.map(\.interface?.name) == ["rdma0", "rdma1"])
    }

    @Test
    func `an interface that is stacked on the host's has another default name`() throws {
        let planner = try Self.planner()
        func name(_ interface: [String: JSONValue]) throws -> String? {
            let config = AllocationConfig(
                source: .fromClaim, opaque: OpaqueConfig(driver: Self.driver, parameters: .object(["interface": .object(interface)])))
            return try planner.plan(Self.claim([("nic", Self.nic)], config: [config]), others: []).plan.devices[0].interface?.name
        }
        let stacked: [String: JSONValue] = ["subInterface": .object(["type": .string("macvlan")])]
        let host = try #require(planner.input.devices[Self.nic]?.netdevs.first?.name)
        #expect(try name([:]) == host)
        #expect(try name(stacked) == String("p-\(host)".prefix(15)))
        #expect(try name(stacked.merging(["name": .string("fabric")]) { $1 }) == "fabric")
    }

    @Test
    func `functions of one IOMMU group go to one claim, and never to two`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        let group = CharDevice(path: "/dev/vfio/41", major: 511, minor: 3)
        let gpus = machine.functions.indices.filter { machine.functions[$0].vendor == "10de" }.prefix(3)
        for (number, index) in gpus.enumerated() {
            machine.functions[index].driver = "vfio-pci"
            machine.functions[index].iommuGroup = number < 2 ? 41 : 42
            machine.functions[index].charDevices = number < 2 ? [group] : [CharDevice(path: "/dev/vfio/42", major: 511, minor: 4)]
        }
        machine.sharedCharDevices = [CharDevice(path: "/dev/vfio/vfio", major: 10, minor: 196)]
        let names = gpus.map { machine.functions[$0].sliceName }
        let devices = Dictionary(machine.devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first })
        let planner = ClaimPlanner(PlannerInput(PlannerOptions(driver: Self.driver), devices: devices))
        let first = try planner.plan(Self.claim([("gpu", names[0])], uid: "u1"), others: []).plan
        let error = #expect(throws: ClaimError.self) { try planner.plan(Self.claim([("gpu", names[1])], uid: "u2"), others: [first]) }
        #expect(error?.code == .conflict && error?.problems.map(\.code) == [.nodeHeld])
        #expect(error?.problems.map(\.object) == ["device \(names[1])"] && error?.problems.first?.cause.contains("/dev/vfio/41") == true)
        #expect(try planner.plan(Self.claim([("gpu", names[2])], uid: "u2"), others: [first]).plan.devices.count == 1)
        #expect(try planner.plan(Self.claim([("gpu", names[0]), ("gpu", names[1])], uid: "u1"), others: [first]).plan.devices.count == 2)
    }

    @Test
    func `a device that another claim holds is refused`() throws {
        let held = try Self.planner().plan(Self.claim([("nic", Self.nic)], uid: "u2", pods: ["p2"]), others: []).plan
        let error = #expect(throws: ClaimError.self) { try Self.planner().plan(Self.claim([("nic", Self.nic)]), others: [held]) }
        #expect(error?.description == "claim ns/c: device pci-0000-0c-00-0 is still held by claim ns/c")
        #expect(error?.code == .conflict && error?.problems.map(\.code) == [.deviceHeld])
        // The claim's own plan does not conflict.
        #expect(try Self.planner().plan(Self.claim([("nic", Self.nic)], uid: "u2", pods: ["p2"]), others: [held]).plan == held)
    }

    @Test
    func `two claims cannot give one pod two interfaces with the same name`() throws {
        let first = try Self.planner().plan(
            Self.claim([("nic", Self.nic)], config: [Self.config(.fromClaim, "net1")], uid: "u2"), others: []
        ).plan
        let claim = Self.claim([("nic", Self.secondNIC)], config: [Self.config(.fromClaim, "net1")])
        let error = #expect(throws: ClaimError.self) { try Self.planner().plan(claim, others: [first]) }
        #expect(error?.problems.map(\.code) == [.nameTaken])
    }

    @Test(arguments: ["lo", "eth0"])
    func `names of the pod's own network are refused`(name: String) throws {
        let error = #expect(throws: ClaimError.self) {
            try Self.planner().plan(Self.claim([("nic", Self.nic)], config: [Self.config(.fromClaim, name)]), others: [])
        }
        #expect(error?.problems.map(\.code) == [.config] && error?.problems.map(\.path) == ["interface.name"])
    }

    @Test(arguments: [
        (#"{"interface":{"name":"net-"}}"#, true), (#"{"interface":{"name":"net1","vrf":{"name":"red-","table":1}}}"#, true),
        (#"{"rules":[{"source":"10.0.0.0/8","table":252}]}"#, true), (#"{"rules":[{"source":"10.0.0.0/8","table":253}]}"#, false),
        (#"{"rules":[{"source":"10.0.0.0/8","table":254}]}"#, false), (#"{"rules":[{"source":"10.0.0.0/8","table":255}]}"#, false),
        (#"{"routes":[{"destination":"0.0.0.0/0","scope":253,"table":254}],"interface":{"mtu":68}}"#, true),
        (#"{"neighbors":[{"destination":"10.0.0.1","hardwareAddr":"02:00:00:00:00:01"}]}"#, true),
        (#"{"interface":{"subInterface":{"type":"macvlan","mode":"passthru"},"sysctls":{"ipv6.ra_defrtr_metric":"2147483647"}}}"#, true),
    ])
    func `a configuration is accepted if and only if nearside-nri accepts its plan`(parameters: String, isTaken: Bool) throws {
        #expect(((try? NetworkConfig(parameters: Array(parameters.utf8))) != nil) == isTaken)
        let config = AllocationConfig(source: .fromClass, opaque: OpaqueConfig(driver: Self.driver, parameters: Array(parameters.utf8)))
        let planner = try Self.planner()
        let outcome = try? planner.plan(Self.claim([("nic", Self.nic)], config: [config]), others: [])
        #expect((outcome?.plan.problems.isEmpty == true) == isTaken, "\(outcome?.plan.problems ?? [])")
    }

    @Test
    func `a missing device and a claim that is not allocated are refused with a remedy`() throws {
        let error = #expect(throws: ClaimError.self) { try Self.planner().plan(Self.claim([("nic", "pci-0000-ff-00-0")]), others: []) }
        #expect(error?.problems.map(\.code) == [.deviceMissing] && error?.problems.map(\.object) == ["device pci-0000-ff-00-0"])
        let bare = ResourceClaim(metadata: Metadata(name: "c", namespace: "ns", uid: "u"))
        let refusal = #expect(throws: ClaimError.self) { try Self.planner().plan(bare, others: []) }
        #expect(refusal?.code == .notAllocated && refusal?.object == "claim ns/c")
    }

    @Test
    func `an error of a configuration names the claim, the configuration and the field`() throws {
        let config = AllocationConfig(
            source: .fromClass, opaque: OpaqueConfig(driver: Self.driver, parameters: .object(["interfase": .null])))
        let error = #expect(throws: ClaimError.self) {
            try Self.planner().plan(Self.claim([("nic", Self.nic)], config: [config]), others: [])
        }
        #expect(
            error?.description
                == "claim ns/c: configuration 0 (FromClass): interfase: is not a known field; fields are apiVersion, kind, interface, routes, rules, neighbors, ethtool, rdma, sriov, workload, pinned, profile"
        )
    }

    @Test(arguments: [
        (#"["192.0.2.7/24"]"#, "192.0.2.1", true), (#"["192.0.2.7/24"]"#, "192.0.3.1", false), ("[]", "192.0.2.1", false),
        (#"["2001:db8::7/64"]"#, "fe80::1", true),
    ])
    func `an unreachable gateway is refused`(addresses: String, gateway: String, isRight: Bool) throws {
        let destination = gateway.contains(":") ? "2001:db8:9::/48" : "198.51.100.0/24"
        let text = #"{"interface":{"addresses":\#(addresses)},"routes":[{"destination":"\#(destination)","gateway":"\#(gateway)"}]}"#
        let parameters = try JSONValue(parsing: text.utf8)
        let claim = Self.claim(
            [("nic", Self.nic)],
            config: [AllocationConfig(source: .fromClaim, opaque: OpaqueConfig(driver: Self.driver, parameters: parameters))])
        if isRight {
            _ = try Self.planner().plan(claim, others: [])
        } else {
            let error = #expect(throws: ClaimError.self) { try Self.planner().plan(claim, others: []) }
            #expect(error?.problems.map(\.code) == [.routeGateway] && error?.problems.first?.cause.contains(gateway) == true)
        }
    }

    @Test(arguments: [(1279, false), (1280, true), (9216, true), (9217, false)])
    func `an MTU outside of the interface's range is refused when the claim is prepared`(mtu: Int64, isRight: Bool) throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        for index in machine.functions.indices where !machine.functions[index].netdevs.isEmpty {
            machine.functions[index].netdevs[0].minimalMTU = 1280
            machine.functions[index].netdevs[0].maximalMTU = 9216
        }
        let planner = ClaimPlanner(
            PlannerInput(
                PlannerOptions(driver: Self.driver),
                devices: Dictionary(machine.devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first })))
        let config = AllocationConfig(
            source: .fromClaim, requests: nil,
            opaque: OpaqueConfig(driver: Self.driver, parameters: .object(["interface": .object(["mtu": .integer(mtu)])])))
        let claim = Self.claim([("nic", Self.nic)], config: [config])
        if isRight {
            #expect(try planner.plan(claim, others: []).plan.devices.map(\.interface?.mtu) == [Int(mtu)])
        } else {
            let error = #expect(throws: ClaimError.self) { try planner.plan(claim, others: []) }
            #expect(error?.problems.map(\.code) == [.mtu] && error?.problems.map(\.path) == ["interface.mtu"])
        }
    }

    @Test
    func `configurations of other drivers are ignored`() throws {
        let config = AllocationConfig(
            source: .fromClaim, opaque: OpaqueConfig(driver: "gpu.example.com", parameters: .object(["x": .null])))
        #expect(try Self.planner().plan(Self.claim([("nic", Self.nic)], config: [config]), others: []).plan.devices.count == 1)
    }

    static func config(_ json: String, _ source: AllocationConfig.Source = .fromClaim) throws -> AllocationConfig {
        let parameters = try JSONValue(parsing: json.utf8)
        return AllocationConfig(source: source, opaque: OpaqueConfig(driver: driver, parameters: parameters))
    }

    @Test
    func `all problems of a claim are reported at once`() throws {
        let configs = [
            try Self.config(#"{"interface":{"mtu":1}}"#, .fromClass), try Self.config(#"{"interface":{"nam":"x"},"routes":[{}]}"#),
        ]
        let error = #expect(throws: ClaimError.self) {
            try Self.planner().plan(Self.claim([("nic", Self.nic), ("gone", "pci-0000-ff-00-0")], config: configs), others: [])
        }
        let places = Set((error?.problems ?? []).map { [$0.code.rawValue, $0.object, $0.path ?? ""] })
        #expect(
            places.isSuperset(of: [
                ["config", "configuration 0 (FromClass)", "interface.mtu"], ["config", "configuration 1 (FromClaim)", "interface.nam"],
                ["config", "configuration 1 (FromClaim)", "routes[0].destination"], ["deviceMissing", "device pci-0000-ff-00-0", ""],
            ]), "\(error?.description ?? "")")
    }

    @Test
    func `an RDMA device moves only in the exclusive mode, and only then a container waits for it`() throws {
        var planner = try Self.planner("aws-p5")
        let claim = Self.claim([("efa", "pci-0000-4f-00-0")])
        let shared = try planner.plan(claim, others: [])
        #expect(shared.plan.devices[0].rdmaDevice == nil && !shared.plan.hasInterfaces)
        #expect(try Self.spec(shared)?.containerEdits?.hooks == nil)
        planner.input.facts = PlanningFacts(movesRDMA: true)
        let exclusive = try planner.plan(claim, others: [])
        #expect(exclusive.plan.devices[0].rdmaDevice == "rdmap79s0" && exclusive.plan.hasInterfaces)
        #expect(try Self.spec(exclusive)?.containerEdits?.hooks?.count == 1)
    }

    @Test
    func `nodes of RDMA management are given only on request`() throws {
        var planner = try Self.planner()
        let name = try #require(planner.input.devices[Self.nic]?.rdmaDevices.first?.name)
        planner.input.devices[Self.nic]?.rdmaDevices[0].charDevices += [
            CharDevice(path: "/dev/infiniband/umad0", major: 231, minor: 0),
            CharDevice(path: "/dev/infiniband/issm0", major: 231, minor: 64),
        ]
        func nodes(_ config: [AllocationConfig]) throws -> [String] {
            let outcome = try planner.plan(Self.claim([("nic", Self.nic)], config: config), others: [])
            return try Self.spec(outcome)?.devices[0].containerEdits.deviceNodes?.map(\.path) ?? []
        }
        #expect(try nodes([]) == ["/dev/infiniband/uverbs0"], "\(name)")
        #expect(try nodes([try Self.config(#"{"rdma":{"management":true}}"#, .fromClass)]).count == 3)
    }

    @Test
    func `a virtual function gets its configuration, and conflicts with a claim of its physical function`() throws {
        var planner = try Self.planner()
        let parent = try #require(planner.input.devices[Self.nic])
        var virtual = try #require(planner.input.devices[Self.secondNIC])
        virtual.function?.physicalFunction = parent.function?.address
        virtual.function?.virtualFunctionIndex = 3
        virtual.netdevs[0].mac = HardwareAddress(parsing: "02:00:00:00:00:00")
        planner.input.devices[Self.secondNIC] = virtual
        let config = try Self.config(
            #"{"interface":{"hardwareAddr":"02:00:00:00:00:01"},"sriov":{"vlan":7,"trust":true,"spoofCheck":false,"maxTxRate":1000}}"#,
            .fromClass)
        let plan = try planner.plan(Self.claim([("vf", virtual.sliceName)], config: [config]), others: []).plan
        let function = try #require(plan.devices[0].virtualFunction)
        #expect(function.parent == parent.netdevs.first?.name && Int(function.number) == virtual.function?.virtualFunctionIndex)
        #expect(
            function.settings.vlan == 7 && function.settings.isTrusted == true && function.settings.checksSpoofing == false
                && function.settings.maximalRate == 1000)
        #expect(function.settings.hardwareAddress?.description == "02:00:00:00:00:01")
        let whole = #expect(throws: ClaimError.self) { try planner.plan(Self.claim([("pf", parent.sliceName)], uid: "u2"), others: [plan]) }
        #expect(whole?.problems.contains { $0.code == .virtualFunctionHeld && $0.object == "device \(parent.sliceName)" } == true)
        let held = try planner.plan(Self.claim([("pf", parent.sliceName)], uid: "u3"), others: []).plan
        let part = #expect(throws: ClaimError.self) { try planner.plan(Self.claim([("vf", virtual.sliceName)]), others: [held]) }
        #expect(part?.problems.map(\.code).contains(.physicalFunctionHeld) == true)
        let mistaken = #expect(throws: ClaimError.self) {
            try Self.planner().plan(
                Self.claim([("nic", Self.nic)], config: [try Self.config(#"{"sriov":{"vlan":5}}"#, .fromClass)]), others: [])
        }
        #expect(mistaken?.problems.map(\.code) == [.notVirtualFunction])
    }

    @Test
    func `features are checked against the driver, by both kinds of names`() throws {
        var planner = try Self.planner()
        planner.input.facts.interfaces = ["ib0": InterfaceFacts(features: ["tx-tcp-segmentation", "rx-gro"], privateFlags: ["x"])]
        func plan(_ json: String) throws -> DevicePlan {
            try planner.plan(Self.claim([("nic", Self.nic)], config: [try Self.config(json, .fromClass)]), others: []).plan.devices[0]
        }
        #expect(
            try plan(#"{"ethtool":{"features":{"tso":false,"gro":true}}}"#).interface?.features == [
                "tx-tcp-segmentation": false, "rx-gro": true,
            ])
        let error = #expect(throws: ClaimError.self) { _ = try plan(#"{"ethtool":{"features":{"lro":true},"privateFlags":{"y":true}}}"#) }
        #expect(error?.problems.map(\.code) == [.feature, .privateFlag])
        #expect(error?.problems.map(\.path) == ["ethtool.features.lro", "ethtool.privateFlags.y"])
    }
}
