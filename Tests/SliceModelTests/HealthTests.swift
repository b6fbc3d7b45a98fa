// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Primitives
import ResourceAPI
import SliceModel
import Testing
import Topology

struct HealthTests {
    private static let policy = PublishingPolicy(driver: "dra.nearside", owned: ["gpus"])

    private func machine(_ name: String = "hgx-a100") throws -> Machine { try #require(try MachineDescription.embedded(name)).machine }

    private func nic(_ machine: Machine) throws -> Int {
        try #require(machine.functions.firstIndex { $0.vendor == "15b3" && !$0.rdmaDevices.isEmpty })
    }

    private func setPort(_ machine: inout Machine, _ index: Int, _ state: String) {
        machine.functions[index].rdmaDevices[0].ports[0].state = state
    }

    // MARK: Damping

    @Test
    func `the loss of a link takes effect at once, and its return after ten stable seconds`() throws {
        var seen = try machine()
        let index = try nic(seen)
        setPort(&seen, index, "ACTIVE")
        let up = seen
        var lost = up
        setPort(&lost, index, "DOWN")
        lost.functions[index].rdmaDevices[0].ports[0].rate = 10
        var damper = LinkDamper()
        let start = ContinuousClock.now
        #expect(damper.damped(up, at: start).next == nil)
        let down = damper.damped(lost, at: start + .seconds(1)).machine.functions[index].rdmaDevices[0].ports[0]
        #expect(down.state == "DOWN")
        #expect(down.rate == up.functions[index].rdmaDevices[0].ports[0].rate, "a port without a link has no measured rate")
        let back = damper.damped(up, at: start + .seconds(2))
        #expect(back.machine.functions[index].rdmaDevices[0].ports[0].state == "DOWN")
        #expect(back.next == start + .seconds(12))
        #expect(damper.damped(up, at: start + .seconds(11)).machine.functions[index].rdmaDevices[0].ports[0].state == "DOWN")
        let good = damper.damped(up, at: start + .seconds(12))
        #expect(good.machine == up && good.next == nil)
    }

    @Test
    func `a link that flaps all day causes few changes, and is up once it is stable`() throws {
        var up = try machine()
        let index = try nic(up)
        setPort(&up, index, "ACTIVE")
        var down = up
        setPort(&down, index, "DOWN")
        var damper = LinkDamper()
        let start = ContinuousClock.now
        var changes = 0
        var last = true
        // Down for two seconds of every sixty, for six hours.
        for second in 0..<21_600 {
            let now = start + .seconds(second)
            let seen = damper.damped(second % 60 < 2 ? down : up, at: now).machine.functions[index].rdmaDevices[0].ports[0].state
            if (seen == "ACTIVE") != last {
                changes += 1
                last.toggle()
            }
        }
        // At least one loss and one return.
        #expect((2..<20).contains(changes), "\(changes) of 720")
        let next = damper.damped(up, at: start + .seconds(21_600)).next
        #expect(next.map { $0 <= start + .seconds(21_600 + 300) } ?? true)
        #expect(damper.damped(up, at: start + .seconds(21_901)).machine == up)
    }

    @Test
    func `an interface of an ended pod has 30 seconds to re-establish its link`() throws {
        var up = try machine("aws-p4d")
        let index = try #require(up.functions.firstIndex { !$0.netdevs.isEmpty && $0.rdmaDevices.isEmpty })
        up.functions[index].netdevs[0].isEnabled = true
        up.functions[index].netdevs[0].hasCarrier = true
        var down = up
        down.functions[index].netdevs[0].hasCarrier = false
        let name = up.functions[index].sliceName
        func carrier(_ machine: Machine) -> Bool? { machine.functions[index].netdevs[0].hasCarrier }
        var damper = LinkDamper()
        let start = ContinuousClock.now
        _ = damper.damped(up, inPods: [name], at: start)
        let back = damper.damped(down, at: start + .seconds(60))
        #expect(carrier(back.machine) == true)
        #expect(back.next == start + .seconds(90))
        #expect(carrier(damper.damped(down, at: start + .seconds(90)).machine) == false)
        // A disabled interface has no carrier, which is not a condition.
        down.functions[index].netdevs[0].isEnabled = false
        #expect(HealthReport(MachineTopology(down), Self.policy).findings[name] == nil)
    }

    // MARK: Findings and taints

    @Test
    func `a condition taints the device, its pair and each set with that pair, and no other device`() throws {
        var machine = try machine()
        let index = try nic(machine)
        machine.functions[index].driver = nil
        machine.functions[index].netdevs = []
        machine.functions[index].rdmaDevices = []
        let report = HealthReport(MachineTopology(machine), Self.policy)
        let name = machine.functions[index].sliceName
        #expect(report.findings.isEmpty)
        let slices = SliceDevices(MachineTopology(machine), Self.policy, health: report)
        #expect(!slices.whole.devices.contains { $0.name == name }, "a NIC without interface and RDMA device is not published")
        #expect(slices.whole.devices.allSatisfy { $0.taints == nil })
        let held = HealthReport(MachineTopology(machine), Self.policy, held: [name], known: try self.machine())
        #expect(held.findings[name]?.map(\.condition) == [.lost])
        #expect(held.findings[name]?.first?.message.hasPrefix("the NIC has neither an interface nor an RDMA device") == true)
        let marks = SliceDevices(MachineTopology(machine), Self.policy, health: held)
        #expect(marks.whole.devices.filter { $0.taints != nil }.map(\.name) == [name], "it has left its pair")
        #expect(marks.contents(lacking: [.taints]).devices.count == marks.whole.devices.count - 1)
        // The accelerator without a driver keeps its pair.
        machine = try self.machine()
        let gpu = try #require(machine.functions.firstIndex { $0.vendor == "10de" && $0.classCode.hasPrefix("0302") })
        machine.functions[gpu].driver = nil
        machine.functions[gpu].charDevices = []
        let strict = PublishingPolicy(driver: "dra.nearside", owned: ["gpus"], taints: try TaintPolicy(parsing: "no-driver=NoExecute"))
        let all = SliceDevices(MachineTopology(machine), strict, health: HealthReport(MachineTopology(machine), strict))
        let marked = all.whole.devices.filter { $0.taints != nil }
        #expect(marked.count == 1 + 4, "the GPU, its pair, and a set of 2, 4 and 8")
        #expect(marked.allSatisfy { $0.taints?[0].effect == .noExecute })
        #expect(marked.dropFirst().allSatisfy { $0.taints?[0].value == machine.functions[gpu].sliceName })
        let without = all.contents(lacking: [.taints])
        #expect(without.devices.count == all.whole.devices.count - 5 && without.devices.allSatisfy { $0.taints == nil })
    }

    @Test
    func `a lost device is published with a taint while a claim has it`() throws {
        let whole = try machine()
        var broken = whole
        let index = try nic(whole)
        let gone = broken.functions.remove(at: index)
        #expect(HealthReport(MachineTopology(broken), Self.policy, known: whole).findings.isEmpty)
        let report = HealthReport(MachineTopology(broken), Self.policy, held: [gone.sliceName], known: whole)
        #expect(report.lost.map(\.sliceName) == [gone.sliceName])
        let slices = SliceDevices(MachineTopology(broken, known: whole), Self.policy, health: report)
        let device = try #require(slices.whole.devices.first { $0.name == gone.sliceName })
        #expect(device.taints == [DeviceTaint(key: "dra.nearside/lost", effect: .noSchedule)])
        #expect(report.changes(since: HealthReport()).map(\.began) == [true])
        #expect(HealthReport().changes(since: report).map(\.began) == [false])
    }

    @Test
    func `a narrow link is a finding, and taints the device only if the policy requires it`() throws {
        var machine = try machine()
        let index = try nic(machine)
        machine.functions[index].link = PCILink(gigatransfers: 16, lanes: 8)
        machine.functions[index].maximalLink = PCILink(gigatransfers: 16, lanes: 16)
        let report = HealthReport(MachineTopology(machine), Self.policy)
        #expect(
            report.findings[machine.functions[index].sliceName]?.first?.message
                == "the PCIe link has 8 of 16 lanes; reseat the card or riser"
        )
        #expect(SliceDevices(MachineTopology(machine), Self.policy, health: report).whole.devices.allSatisfy { $0.taints == nil })
    }

    @Test
    func `the slow link of an idle GPU is neither a finding of a slice nor a mark, but one piece of advice`() throws {
        var machine = try machine()
        let index = try #require(machine.functions.firstIndex { $0.vendor == "10de" && $0.classCode.hasPrefix("0302") })
        let (idle, full) = (PCILink(gigatransfers: 2.5, lanes: 16), PCILink(gigatransfers: 32, lanes: 16))
        var port = PCIFunction(
            address: PCIAddress(domain: 0, bus: 0xf0, device: 0, function: 0), vendor: "8086", device: "352a", classCode: "060400",
            path: ["pci0000:f0"], link: idle)
        port.maximalLink = full
        machine.functions[index].path = ["pci0000:f0", "0000:f0:00.0"]
        machine.functions[index].link = idle
        machine.functions[index].maximalLink = full
        machine.functions.append(port)
        machine.functions.sort { $0.address < $1.address }
        let topology = MachineTopology(machine)
        #expect(HealthReport(topology, Self.policy).findings.isEmpty)
        #expect(!TopologyText(topology, terminal: Terminal()).text.contains("PCIe only"))
        #expect(!TopologyPicture(topology).text().contains("PCIe only"))
        // The port above the GPU has the same link, and is not a separate finding.
        let found = Doctor(topology, host: nil).findings.filter { $0.finding.contains("PCIe link runs at") }
        #expect(found.map(\.severity) == [.advice])
        #expect(found.first?.advice.contains("idle GPU") == true)
    }

    @Test
    func `a narrow link is a finding of the slice, a problem for the doctor, and a mark in the picture`() throws {
        var machine = try machine()
        let index = try nic(machine)
        machine.functions[index].link = PCILink(gigatransfers: 16, lanes: 8)
        machine.functions[index].maximalLink = PCILink(gigatransfers: 16, lanes: 16)
        let topology = MachineTopology(machine)
        #expect(HealthReport(topology, Self.policy).findings.values.flatMap { $0 }.map(\.condition) == [.narrowLink])
        #expect(
            Doctor(topology, host: nil).findings.contains { $0.object == "\(machine.functions[index].address)" && $0.severity == .problem })
        #expect(TopologyText(topology, terminal: Terminal()).text.contains("PCIe only 16 GT/s x8"))
        // The link of Amazon's virtual functions is simulated, and shown in none of the three places.
        machine.functions[index].vendor = "1d0f"
        let virtual = MachineTopology(machine)
        #expect(HealthReport(virtual, Self.policy).findings.isEmpty)
        #expect(!Doctor(virtual, host: nil).findings.contains { $0.finding.contains("PCIe link runs at") })
        #expect(!TopologyText(virtual, terminal: Terminal()).text.contains("PCIe only"))
    }

    @Test
    func `no described machine has a condition`() throws {
        for name in MachineDescription.embeddedNames {
            let machine = try machine(name)
            #expect(
                HealthReport(MachineTopology(machine), PublishingPolicy(driver: "x", owned: ["gpus", "neurons", "gaudis", "tpus"])).findings
                    .isEmpty,
                "\(name)")
        }
    }

    @Test(arguments: [
        ("link-down", InputError.Code.malformed, "\"link-down\""), ("fire=NoExecute", .unknown, "\"fire=NoExecute\""),
        ("lost=Evict", .unknown, "\"Evict\""),
    ])
    func `a malformed policy is refused with the valid values`(text: String, code: InputError.Code, object: String) {
        let error = #expect(throws: InputError.self) { try TaintPolicy(parsing: text) }
        #expect(error?.code == code && error?.object == object)
        #expect(error?.advice?.contains(text.hasPrefix("lost") ? "NoSchedule" : "functions-in-use") == true)
    }
}
