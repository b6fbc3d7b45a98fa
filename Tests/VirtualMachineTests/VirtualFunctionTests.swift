// SPDX-License-Identifier: Apache-2.0

import Attachment
import Glibc
import Hardware
import JournalModel
import Linux
import Logging
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Virtual functions of a real driver (igb): created, configured, attached, and restored.
extension LiveKernelTests {
    @Test
    func `virtual functions are created by a rule, configured for a pod, and restored after it`() throws {
        try Room.run("modprobe -a igb igbvf")
        let physical = try #require(PhysicalFunction.all(sysfs: "/sys").first { $0.total == 7 }, "the machine has an igb")
        let name = try #require(Files.list("/sys/bus/pci/devices/\(physical.address)/net").first)
        try Room.run("ip link set \(name) up")
        let keeper = FunctionKeeper([try FunctionRule(parsing: "\(name)=2")], sysfs: "/sys", log: Logger(label: "test"))
        keeper.update(inUse: [], isChange: true)
        func virtual() throws -> [PCIFunction] {
            try Room.snapshot().functions.filter { $0.physicalFunction?.description == physical.address }
        }
        #expect(try eventually { try virtual().filter { !$0.netdevs.isEmpty }.count == 2 })
        let function = try #require(try virtual().first { $0.virtualFunctionIndex == 0 })
        let interface = try #require(function.netdevs.first?.name)

        // The driver has restarted with them, and accepts no rate without a link.
        #expect(try eventually { try Room.run("cat /sys/class/net/\(name)/speed").hasPrefix("1000") })
        let network = try PodNetwork()
        let before = try Room.run("ip link show \(name)")
        var plan = VirtualFunctionPlan(parent: name, number: 0)
        plan.settings.hardwareAddress = HardwareAddress(parsing: "02:00:00:00:00:11")
        plan.settings.vlan = 7
        plan.settings.checksSpoofing = false
        plan.settings.maximalRate = 100
        let record = try network.record(plan)
        let pod = try NetworkNamespace.make()
        var interfacePlan = InterfacePlan(hostName: interface, name: "net0")
        interfacePlan.hardwareAddress = plan.settings.hardwareAddress
        var order = PodNetwork.AttachRequest(device: "vf", plan: interfacePlan, record: try network.records([interface])[0])
        order.virtualFunction = (plan, record)
        _ = try network.attach([order], to: pod)
        let changed = try Room.run("ip link show \(name)")
        #expect(
            changed.contains("02:00:00:00:00:11") && changed.contains("vlan 7") && changed.contains("spoof checking off")
                && changed.contains("100Mbps"), "\(changed)")
        let seen = try ChildProcess.run("/usr/bin/env", ["ip", "link", "show", "net0"], in: pod).output
        #expect(seen.contains("02:00:00:00:00:11"), "\(seen)")

        // While a claim has a virtual function, their number does not change.
        let held = "pci-" + String(function.address.description.map { $0 == ":" || $0 == "." ? "-" : $0 })
        let other = FunctionKeeper([try FunctionRule(parsing: "\(name)=0")], sysfs: "/sys", log: Logger(label: "test"))
        other.update(inUse: [held], isChange: true)
        #expect(other.descriptor == nil)
        #expect(try virtual().count == 2)

        var attachment = Attachment(
            phase: .attached, device: "vf", podUID: "", sandbox: "", namespacePath: "", namespace: FileIdentity(device: 0, inode: 0),
            podName: "net0", host: order.record)
        attachment.virtualFunction = record
        attachment.hardwareAddress = plan.settings.hardwareAddress
        // This driver reports the address of a virtual function to the physical function.
        #expect(network.restore([PodNetwork.RestoreRequest(attachment)], from: pod).isEmpty)
        let after = try Room.run("ip link show \(name)")
        #expect(after == before, "before: \(before) after: \(after)")
        #expect(try Room.snapshot()[function.address]?.netdevs.first?.name == interface)

        other.update(inUse: [], isChange: true)
        #expect(try eventually { try virtual().isEmpty })
        try Room.run("ip link set \(name) down")
    }

    @Test
    func `changes of virtual functions by a pod with the physical function are restored`() throws {
        try Room.run("modprobe -a igb igbvf")
        let physical = try #require(PhysicalFunction.all(sysfs: "/sys").first { $0.total == 7 }, "the machine has an igb")
        let name = try #require(Files.list("/sys/bus/pci/devices/\(physical.address)/net").first)
        try Room.run("ip link set \(name) up")
        let folder = "/sys/bus/pci/devices/\(physical.address)"
        try Room.write("2", to: "\(folder)/sriov_numvfs")
        defer {
            _ = try? Room.run("ip link set \(name) down")
            try? Room.write("0", to: "\(folder)/sriov_numvfs")
        }
        #expect(eventually { !Files.list("\(folder)/virtfn1/net").isEmpty })
        #expect(try eventually { try Room.run("cat /sys/class/net/\(name)/speed").hasPrefix("1000") })
        func functions() throws -> [Substring] {
            try Room.run("ip link show \(name)").split(separator: "\n").filter { $0.contains("vf ") }
        }
        let network = try PodNetwork()
        let before = try functions()
        let order = PodNetwork.AttachRequest(
            device: "pf", plan: InterfacePlan(hostName: name, name: "net0"), record: try network.records([name])[0])
        #expect(order.record?.functions?.count == 2)
        let pod = try NetworkNamespace.make()
        let results = try network.attach([order], to: pod)
        for words in ["mac 02:bd:bd:bd:bd:bd", "vlan 9 qos 3", "spoofchk off", "trust on", "state disable"] {
            _ = try ChildProcess.run("/usr/bin/env", "ip link set net0 vf 1 \(words)".split(separator: " ").map(String.init), in: pod)
        }
        let spoilt = try ChildProcess.run("/usr/bin/env", ["ip", "link", "show", "net0"], in: pod).output
        #expect(spoilt.contains("02:bd:bd:bd:bd:bd") && spoilt.contains("vlan 9") && spoilt.contains("spoof checking off"), "\(spoilt)")
        var attachment = Attachment(
            phase: .attached, device: "pf", podUID: "", sandbox: "", namespacePath: "", namespace: FileIdentity(device: 0, inode: 0),
            podName: "net0", host: order.record)
        attachment.podIndex = results[0].index
        let problems = network.restore([PodNetwork.RestoreRequest(attachment)], from: pod)
        #expect(problems.isEmpty, "\(problems)")
        let after = try functions()
        #expect(after == before, "before: \(before) after: \(after)")
    }
}
