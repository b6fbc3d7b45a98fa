// SPDX-License-Identifier: Apache-2.0

import Hardware
import NetworkModel
import ResourceAPI
import SliceModel
import Testbed
import Testing
import Topology

struct AttributeTests {
    private static let owner = SliceOwner(driver: "dra.nearside", node: "node-1", nodeUID: "node-uid-node-1")

    private func slices(_ machine: Machine, _ names: PCINameTable = PCINameTable(), own: Set<String> = ["gpus", "neurons"]) -> SliceDevices
    {
        SliceDevices(MachineTopology(machine), PublishingPolicy(driver: "dra.nearside", owned: own, virtualNICs: ["v"]), names: names)
    }

    private func embedded(_ name: String) throws -> Machine { try #require(try MachineDescription.embedded(name)).machine }

    @Test
    func `attributes of DRANET have their names and meanings`() throws {
        var machine = try embedded("hgx-a100")
        let index = try #require(machine.functions.firstIndex { !$0.netdevs.isEmpty && !$0.rdmaDevices.isEmpty })
        let function = machine.functions[index]
        machine.functions[index].subsystem = "15b3:0007"
        machine.functions[index].sriov = SRIOV(total: 16, enabled: 2)
        machine.functions[index].netdevs[0].encapsulation = "infiniband"
        machine.functions[index].netdevs[0].alias = "rail 0"
        machine.functions[index].netdevs[0].state = "up"
        machine.functions[index].netdevs[0].mac = HardwareAddress(parsing: "02:00:00:00:00:01")
        machine.functions[index].netdevs[0].addresses = ["10.0.1.1/24", "10.0.0.1/24", "2001:db8::1/64"].compactMap {
            IPPrefix(parsing: $0)
        }
        machine.functions[index].rdmaDevices[0].firmware = "20.35.1012"
        let names = PCINameTable(
            vendors: [function.vendor: "Mellanox Technologies"],
            devices: ["\(function.vendor):\(function.device)": "MT28908 Family [ConnectX-6]"])
        let all = slices(machine, names)
        let values = try #require(all.whole.devices.first { $0.name == function.sliceName }?.attributes)
        let expected: [String: DeviceAttribute] = [
            "ifName": .string(function.netdevs[0].name), "pciAddress": .string(function.address.description),
            "pciVendor": .string("Mellanox Technologies"), "pciDevice": .string("MT28908 Family [ConnectX-6]"), "rdma": .bool(true),
            "rdmaDevice": .string(function.rdmaDevices[0].name), "sriov": .bool(true), "isSriovVf": .bool(false), "virtual": .bool(false),
            "state": .string("up"), "mac": .string("02:00:00:00:00:01"),
            "ipv4": .string("10.0.0.1/24,10.0.1.1/24"), "ipv6": .string("2001:db8::1/64"),
        ]
        for (name, value) in expected { #expect(values[name] == value, "\(name)") }
        // Another device of the same kind with fewer attributes.
        let other = try #require(
            all.whole.devices.first {
                $0.name != function.sliceName && $0.attributes?["ifName"] != nil && $0.attributes?["rdma"] == .bool(true)
            })
        #expect(other.attributes?["type"] == .string("device"))
        // Only 32 attributes fit: the least important ones are omitted with a warning.
        #expect(values.count == 32)
        #expect(values["alias"] == nil && values["pciSubsystem"] == nil)
        #expect(all.warnings.contains { $0.contains(function.sliceName) && $0.contains("omitted are") && $0.contains("alias") })
    }

    @Test
    func `a device with the longest and strangest values is valid, and so are the others`() throws {
        var machine = try embedded("hgx-a100")
        let long = String(repeating: "ä\"\u{0}\n", count: 100)
        for index in machine.functions.indices {
            machine.functions[index].subsystem = long
            machine.functions[index].accelerator?.uuid = long
            machine.functions[index].accelerator?.product = long
            for place in machine.functions[index].netdevs.indices {
                machine.functions[index].netdevs[place].alias = long
                machine.functions[index].netdevs[place].firmware = long
                machine.functions[index].netdevs[place].state = long
                machine.functions[index].netdevs[place].mtu = Int.max
                machine.functions[index].netdevs[place].speed = Int.max
                machine.functions[index].netdevs[place].addresses = (0..<40).compactMap { IPPrefix(parsing: "2001:db8::\($0)/64") }
            }
        }
        machine.virtualNetdevs = [Netdev(name: "v_0"), Netdev(name: "v.0"), Netdev(name: "V-0"), Netdev(name: "v___")]
        let all = slices(machine)
        let plan = SlicePlan(desired: all.whole, stored: [], owner: Self.owner)
        let api = try APIServer()
        defer { api.shutDown() }
        for slice in plan.creations { try api.add("resourceslices", slice) }
        #expect(try api.slices().flatMap { $0.spec.devices ?? [] }.count == all.whole.devices.count)
        #expect(all.warnings.contains("v_0 is not published: another device already has the name v-0"), "\(all.warnings)")
    }

    @Test(arguments: [
        ("p5", "aws-p5", 71), ("trn2", "aws-trn2", 47), ("empty", "", 0), ("many", "", 256),
    ])
    func `a whole host is published, and all its attributes are valid`(name: String, description: String, count: Int) throws {
        var machine = Machine()
        if !description.isEmpty { machine = try embedded(description) }
        if name == "many" {
            // Two NICs with 127 virtual functions each.
            for port in 0..<2 {
                let parent = PCIAddress(domain: 0, bus: UInt8(0x10 + port * 16), device: 0, function: 0)
                var physical = PCIFunction(
                    address: parent, vendor: "15b3", device: "101d", classCode: "020000", path: ["pci0000:\(port)0"], numaNode: port,
                    driver: "mlx5_core",
                    netdevs: [Netdev(name: "eth\(port)")])
                physical.sriov = SRIOV(total: 127, enabled: 127)
                machine.functions.append(physical)
                for index in 1...127 {
                    let address = PCIAddress(
                        domain: 0, bus: UInt8(0x10 + port * 16 + index / 256), device: UInt8(index / 8 % 32), function: UInt8(index % 8))
                    machine.functions.append(
                        PCIFunction(
                            address: address, vendor: "15b3", device: "101e", classCode: "020000", path: ["pci0000:\(port)0"],
                            numaNode: port,
                            driver: "mlx5_core", physicalFunction: parent, netdevs: [Netdev(name: "eth\(port)v\(index)")]))
                }
            }
            machine.functions.sort { $0.address < $1.address }
        }
        let all = slices(machine)
        #expect(all.devices.count == count)
        let plan = SlicePlan(desired: all.whole, stored: [], owner: Self.owner)
        let api = try APIServer()
        defer { api.shutDown() }
        for slice in plan.creations { try api.add("resourceslices", slice) }
        #expect(try api.hasWholePool())
        let difference = StoredPool(try api.slices()).difference(from: all.whole.devices, counterSets: all.whole.counterSets)
        #expect(difference == nil)
        if name == "many" { #expect(plan.creations.count == 2) }
    }

    // MARK: Groups of Neuron devices

    /// Ids as AWS's driver computes them, by coreutils.
    private func digest(_ addresses: [String]) throws -> String {
        let text = Set(addresses.map { "0000:\($0).0" }).sorted().joined(separator: ",")
        let output = try ChildProcess.run("/bin/sh", ["-c", "printf %s '\(text)' | sha256sum"]).output
        return String(output.prefix(16))
    }

    @Test
    func `EFAs of Trainium instances have the ids of AWS's device groups`() throws {
        let trn1 = slices(try embedded("aws-trn1"), own: []).devices
        func group(_ name: String, _ size: Int) -> DeviceAttribute? {
            trn1.first { $0.name == name }?.attributes?["resource.aws.com/devicegroup\(size)_id"]
        }
        #expect(group("pci-0000-10-1a-0", 1) == .string("0000:10:1a.0"))
        // Devices 0 to 3 of a trn1 use EFAs of both sockets.
        #expect(group("pci-0000-10-1a-0", 4) == .string(try digest(["10:1a", "a0:1a"])))
        #expect(group("pci-0000-a0-1a-0", 4) == group("pci-0000-10-1a-0", 4))
        #expect(group("pci-0000-10-1a-0", 8) == .string(try digest(["10:1a", "a0:1a", "20:19", "90:19"])))
        let all = ["10:1a", "a0:1a", "20:19", "90:19", "20:1a", "90:1a", "10:19", "a0:19"]
        #expect(group("pci-0000-10-1a-0", 16) == .string(try digest(all)))
        let trn2 = slices(try embedded("aws-trn2"), own: []).devices.first { $0.name == "pci-0000-56-00-0" }
        #expect(trn2?.attributes?["resource.aws.com/devicegroup4_id"] == .string(try digest(["6c:00", "57:00", "56:00", "6d:00"])))
        // A Neuron device has ids if its index is known; other instance types have none.
        var machine = try embedded("aws-trn2")
        let index = try #require(machine.functions.firstIndex { $0.device == "7364" })
        machine.functions[index].accelerator = AcceleratorFacts(index: 4)
        let name = machine.functions[index].sliceName
        #expect(
            slices(machine).devices.first { $0.name == name }?.attributes?["resource.aws.com/devicegroup1_id"] == .string("0000:6c:00.0"))
        machine.name = "m7i.metal-48xl"
        #expect(slices(machine).devices.allSatisfy { $0.attributes?["resource.aws.com/devicegroup1_id"] == nil })
        #expect(slices(try embedded("aws-p5")).devices.allSatisfy { $0.attributes?["resource.aws.com/devicegroup1_id"] == nil })
    }

    // MARK: Sharing

    @Test
    func `NICs without an interface can be shared, have one capacity, and belong to no pair device`() throws {
        let machine = try embedded("aws-p5")
        let policy = PublishingPolicy(driver: "dra.nearside", owned: ["gpus"], shares: 4)
        let all = SliceDevices(MachineTopology(machine), policy)
        let efas = all.whole.devices.filter { $0.attributes?["deviceID"] == .string("efa1") }
        #expect(efas.count == 32 && efas.allSatisfy { $0.allowMultipleAllocations == true && $0.capacity?["shares"]?.value == "4" })
        #expect(all.whole.devices.allSatisfy { $0.allowMultipleAllocations == nil || $0.consumesCounters == nil })
        #expect(all.pairs == nil)
        let exclusive = all.contents(lacking: [.sharing]).devices
        #expect(exclusive.allSatisfy { $0.allowMultipleAllocations == nil && $0.capacity?["shares"]?.requestPolicy == nil })
    }
}

struct QuantityTests {
    @Test(arguments: [
        ("1", "1000m"), ("1Ki", "1024"), ("1.5Gi", "1536Mi"), ("2e3", "2k"), ("0.1", "100m"), ("-1", "-1000m"), ("+5", "5"), (".5", "500m"),
    ])
    func `different texts of one amount are equal`(left: String, right: String) {
        #expect(Quantity(left) == Quantity(right))
        #expect(Set([Quantity(left), Quantity(right)]).count == 1)
    }

    @Test(arguments: ["", "x", "1Zi", "1..2", "--1", "1e99", "99999999999999999999", "1 Gi", "0x10", "１"])
    func `a malformed amount is refused`(text: String) {
        #expect(!Quantity(text).isValid)
        #expect(Quantity(text) == Quantity(text) && Quantity(text) != Quantity("1"))
    }

    @Test(arguments: [
        ("1.2.3", true), ("0.0.0", true), ("1.2", false), ("01.2.3", false), ("1.2.3-rc.1+b", true), ("1.2.3-01", false), ("v1.2.3", false),
        ("1.2.3-", false),
    ])
    func `semantic versions are recognised`(text: String, isValid: Bool) {
        #expect((Limits.problem("x", .version(text)) == nil) == isValid)
    }

    @Test(arguments: [
        ("a", true), ("a/b", true), ("dra.nearside/pair", true), ("1a", false), ("a-b", false), ("A b/c", false),
        (String(repeating: "a", count: 33), false),
    ])
    func `attribute names are identifiers, with and without a domain`(name: String, isValid: Bool) {
        #expect((Limits.problem(name, .bool(true)) == nil) == isValid)
    }
}
