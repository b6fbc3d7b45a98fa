// SPDX-License-Identifier: Apache-2.0

import Hardware
import ResourceAPI
import SliceModel
import Testbed
import Testing
import Topology

struct SliceTests {
    private static let owner = SliceOwner(driver: "dra.nearside", node: "node-1", nodeUID: "n1")

    private static func devices(_ count: Int, value: Int = 0) -> SliceContents {
        SliceContents(devices: (0..<count).map { SliceDevice(name: "dev-\($0)", attributes: ["x": .int(Int64(value))]) })
    }

    /// The slices at the API server after the plan.
    private static func applied(_ plan: SlicePlan, to stored: [ResourceSlice]) -> [ResourceSlice] {
        var result = stored.filter { slice in !plan.deletions.contains { $0.metadata.name == slice.metadata.name } }
        result = result.map { slice in plan.updates.first { $0.metadata.name == slice.metadata.name } ?? slice }
        for slice in plan.creations {
            var slice = slice
            slice.metadata.name = (slice.metadata.generateName ?? "") + "abcde"
            result.append(slice)
        }
        return result
    }

    @Test
    func `p5 is published completely, with its pairing`() throws {
        let machine = try #require(try MachineDescription.embedded("aws-p5")).machine
        let all = SliceDevices(MachineTopology(machine), PublishingPolicy(driver: "dra.nearside", owned: ["gpus"])).devices
        // 8 GPUs, 32 EFA, and 32 ENA without the uplink.
        #expect(all.count == 71)
        let gpu = try #require(all.first { $0.name == "pci-0000-53-00-0" }?.attributes)
        #expect(gpu["kind"] == .string("accelerator"))
        #expect(gpu["pair"] == .string("pair-0"))
        #expect(gpu["rail"] == .int(0))
        #expect(gpu["path"] == .string("PIX"))
        #expect(gpu["resource.kubernetes.io/pcieRoot"] == .string("pci0000:44"))
        #expect(gpu["resource.kubernetes.io/numaNode"] == .int(0))
        let nic = try #require(all.first { $0.name == "pci-0000-4f-00-0" }?.attributes)
        #expect(nic["pair"] == .string("pair-0"))
        #expect(nic["role"] == .string("fabric"))
        #expect(nic["rdmaDevice"] == .string("rdmap79s0"))
    }

    @Test(arguments: MachineDescription.embeddedNames)
    func `slices of every machine are within the limits of the API`(name: String) throws {
        let machine = try #require(try MachineDescription.embedded(name)).machine
        for device in SliceDevices(MachineTopology(machine), PublishingPolicy(driver: "dra.nearside", owned: ["gpus", "neurons"])).devices {
            #expect(device.name.wholeMatch(of: /[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/) != nil, "\(device.name)")
            #expect((device.attributes ?? [:]).count + (device.capacity ?? [:]).count <= 32)
            for name in (device.attributes ?? [:]).keys {
                #expect(name.wholeMatch(of: /([a-z0-9.-]+\/)?[A-Za-z_][A-Za-z0-9_]{0,31}/) != nil, "\(name)")
            }
            for case .string(let text) in (device.attributes ?? [:]).values { #expect(text.utf8.count <= 64 && !text.isEmpty) }
        }
    }

    @Test
    func `foreign accelerators and uplinks are not published, and the NICs keep their pairing`() throws {
        let machine = try #require(try MachineDescription.embedded("aws-p4d")).machine
        let all = SliceDevices(MachineTopology(machine), PublishingPolicy(driver: "dra.nearside")).devices
        #expect(!all.contains { $0.attributes?["kind"] == .string("accelerator") })
        #expect(!all.contains { $0.attributes?["ifName"] == .string("ens32") })
        #expect(all.filter { $0.attributes?["pair"] != nil }.count == 4)
    }

    @Test
    func `a long or strange text is truncated at a character, and the slice stays valid`() {
        #expect(Limits.attribute(String(repeating: "ä", count: 40)).utf8.count == 64)
        #expect(Limits.attribute(String(repeating: "x", count: 64)).utf8.count == 64)
        #expect(Limits.attribute("a" + String(repeating: "ä", count: 40)).utf8.count == 63)
        #expect(Limits.label("eth0.100@if3_X-") == "eth0-100-if3-x")
        #expect(Limits.label("___") == "x")
        #expect(Limits.label(String(repeating: "a", count: 100)).utf8.count == 63)
    }

    @Test
    func `slices have at most 128 devices, and an empty pool is one empty slice`() {
        for (count, slices) in [(0, 1), (1, 1), (128, 1), (129, 2), (300, 3)] {
            let plan = SlicePlan(desired: Self.devices(count), stored: [], owner: Self.owner)
            #expect(plan.creations.count == slices)
            #expect(plan.creations.allSatisfy { $0.spec.pool.resourceSliceCount == Int64(slices) && $0.spec.pool.generation == 1 })
            #expect(plan.creations.flatMap { $0.spec.devices ?? [] }.count == count)
        }
        let plan = SlicePlan(desired: Self.devices(300), stored: [], owner: Self.owner)
        #expect(
            plan.creations.map { $0.metadata.generateName ?? "" } == [
                "00000-dra.nearside-node-1-", "00001-dra.nearside-node-1-", "00002-dra.nearside-node-1-",
            ])
        #expect(plan.creations.first?.metadata.ownerReferences?.first?.uid == "n1")
    }

    @Test
    func `a taint splits slices into 64 devices, and its end joins them again`() {
        var tainted = Self.devices(130)
        tainted.devices[100].taints = [DeviceTaint(key: "dra.nearside/link-down", effect: .noSchedule)]
        let stored = Self.applied(SlicePlan(desired: tainted, stored: [], owner: Self.owner), to: [])
        #expect(stored.map { $0.spec.devices?.count } == [64, 64, 2])
        let after = Self.applied(SlicePlan(desired: Self.devices(130), stored: stored, owner: Self.owner), to: stored)
        #expect(after.sorted { ($0.metadata.name ?? "") < ($1.metadata.name ?? "") }.map { $0.spec.devices?.count } == [128, 2])
        #expect(after.map(\.spec.pool.generation) == [2, 2])
        #expect(StoredPool(after).difference(from: Self.devices(130).devices) == nil)
        #expect(SlicePlan(desired: Self.devices(130), stored: after, owner: Self.owner).isEmpty)
    }

    @Test
    func `the desired state causes no writes`() {
        for count in [0, 5, 200] {
            let stored = Self.applied(SlicePlan(desired: Self.devices(count), stored: [], owner: Self.owner), to: [])
            #expect(SlicePlan(desired: Self.devices(count), stored: stored, owner: Self.owner).isEmpty)
        }
    }

    @Test
    func `one changed slice keeps the generation; several changed slices or a new one increase it`() {
        let stored = Self.applied(SlicePlan(desired: Self.devices(200), stored: [], owner: Self.owner), to: [])
        var one = Self.devices(200)
        one.devices[150].attributes?["x"] = .int(9)
        let small = SlicePlan(desired: one, stored: stored, owner: Self.owner)
        #expect(small.updates.count == 1)
        #expect(small.updates.first?.spec.pool.generation == 1)
        let all = SlicePlan(desired: Self.devices(200, value: 1), stored: stored, owner: Self.owner)
        #expect(all.updates.map(\.spec.pool.generation) == [2, 2])
        let more = SlicePlan(desired: Self.devices(260), stored: stored, owner: Self.owner)
        #expect(more.updates.count == 2)
        #expect(more.creations.map(\.spec.pool.generation) == [2])
    }

    @Test
    func `every change of the number of devices ends in the desired state`() {
        for first in [0, 100, 129, 300] {
            for second in [0, 100, 129, 300] {
                let stored = Self.applied(SlicePlan(desired: Self.devices(first), stored: [], owner: Self.owner), to: [])
                #expect(StoredPool(stored).difference(from: Self.devices(first).devices) == nil)
                let desired = Self.devices(second, value: 1)
                let after = Self.applied(SlicePlan(desired: desired, stored: stored, owner: Self.owner), to: stored)
                #expect(StoredPool(after).difference(from: desired.devices) == nil, "\(first) to \(second)")
                // Within a generation at most one slice may change, and none may be added; an unchanged slice keeps its generation.
                let isFirst = second <= 128 || stored.isEmpty
                #expect(after.allSatisfy { $0.spec.pool.generation == (isFirst ? 1 : 2) }, "\(first) to \(second)")
                #expect(SlicePlan(desired: desired, stored: after, owner: Self.owner).isEmpty)
            }
        }
    }

    @Test
    func `only a member's own device, its pair and the sets with that pair consume its counter`() throws {
        for (name, own) in [("aws-p5", "gpus"), ("aws-p4d", "gpus"), ("aws-trn2", "neurons"), ("aws-p6e-gb200", "gpus")] {
            let topology = MachineTopology(try #require(try MachineDescription.embedded(name)).machine)
            let slices = SliceDevices(topology, PublishingPolicy(driver: "dra.nearside", owned: [own]))
            let contents = slices.whole
            #expect(contents.counterSets.map(\.name) == ["accelerators", "nics"])
            let counters = Dictionary(uniqueKeysWithValues: contents.counterSets.map { ($0.name, Set($0.counters.keys)) })
            var users: [String: [String]] = [:]
            for device in contents.devices {
                for used in device.consumesCounters ?? [] {
                    #expect(Set(used.counters.keys).isSubset(of: counters[used.counterSet] ?? []))
                    for (counter, amount) in used.counters {
                        #expect(amount.value == "1")
                        users[counter, default: []].append(device.name)
                    }
                }
            }
            for pair in topology.pairing.pairs {
                let sets = topology.sets.sets.filter { $0.rails.contains(pair.rail) }.map(\.name)
                for member in pair.members { #expect(users[member.sliceName] == [member.sliceName, pair.name] + sets, "\(name)") }
            }
            #expect(users.count == topology.pairing.pairs.flatMap(\.members).count)
            // Counters come first in a separate slice; at most 64 devices are in each slice.
            let plan = SlicePlan(desired: contents, stored: [], owner: Self.owner)
            #expect(plan.creations[0].spec.devices == nil && plan.creations[0].spec.sharedCounters?.count == 2)
            #expect(plan.creations.dropFirst().allSatisfy { $0.spec.sharedCounters == nil && ($0.spec.devices?.count ?? 0) <= 64 })
            let stored = Self.applied(plan, to: [])
            #expect(SlicePlan(desired: contents, stored: stored, owner: Self.owner).isEmpty)
            // And without counters, for a cluster that turns out not to support them.
            let after = Self.applied(
                SlicePlan(desired: slices.contents(lacking: [.counters]), stored: stored, owner: Self.owner), to: stored)
            #expect(after.allSatisfy { $0.spec.sharedCounters == nil })
            let names = after.flatMap { $0.spec.devices ?? [] }.map(\.name)
            #expect(names == slices.devices.map(\.name))
            #expect(after.allSatisfy { slice in (slice.spec.devices ?? []).allSatisfy { $0.consumesCounters == nil } })
        }
    }

    @Test
    func `foreign accelerators get no pair devices, nor do more members than a counter set may have`() throws {
        let topology = MachineTopology(try #require(try MachineDescription.embedded("aws-p5")).machine)
        let slices = SliceDevices(topology, PublishingPolicy(driver: "dra.nearside"))
        #expect(slices.pairs == nil && slices.whole == slices.contents(lacking: [.counters]))
        var large = Machine()
        for index in 0..<33 {
            for (vendor, device, code) in [("10de", "2330", "030200"), ("15b3", "1021", "020700")] {
                let address = PCIAddress(domain: UInt32(index), bus: vendor == "10de" ? 1 : 2, device: 0, function: 0)
                large.functions.append(
                    PCIFunction(address: address, vendor: vendor, device: device, classCode: code, path: ["pci:\(index)"]))
            }
        }
        let many = SliceDevices(MachineTopology(large), PublishingPolicy(driver: "dra.nearside", owned: ["gpus"]))
        #expect(many.devices.count == 66 && many.pairs == nil)
    }

    @Test
    func `an interface with the name of a pair device keeps its name, and is one device`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        machine.virtualNetdevs = [Netdev(name: "pair-0")]
        let policy = PublishingPolicy(driver: "dra.nearside", owned: ["gpus"], virtualNICs: ["pair"])
        let slices = SliceDevices(MachineTopology(machine), policy)
        let named = slices.whole.devices.filter { $0.name == "pair-0" }
        #expect(named.map { $0.attributes?["kind"] } == [.string("nic")])
        #expect(slices.pairs?.members["pair-0"] == nil && slices.pairs?.members["pair-1"]?.count == 2)
    }

    @Test
    func `slices of an older generation, another form or another pool are deleted`() {
        let stored = Self.applied(SlicePlan(desired: Self.devices(5), stored: [], owner: Self.owner), to: [])
        var old = stored[0]
        old.metadata.name = "00000-old"
        old.spec.pool.generation = 0
        var odd = stored[0]
        odd.metadata.name = "node-1-dra.nearside-x"
        var other = stored[0]
        other.metadata.name = "00000-other"
        other.spec.pool.name = "other"
        let plan = SlicePlan(desired: Self.devices(5), stored: stored + [old, odd, other], owner: Self.owner)
        #expect(Set(plan.deletions.compactMap(\.metadata.name)) == ["00000-old", "node-1-dra.nearside-x", "00000-other"])
        #expect(plan.updates.isEmpty && plan.creations.isEmpty)
    }
}
