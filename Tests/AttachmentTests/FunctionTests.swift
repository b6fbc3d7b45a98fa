// SPDX-License-Identifier: Apache-2.0

import Attachment
import JournalModel
import Linux
import Logging
import PodNetwork
import Primitives
import Testbed
import Testing

/// Virtual functions by an operator's rules, on a tree in the kernel's format.
@Suite struct FunctionTests {
    private final class Tree {
        let scratch: ScratchFolder
        init() throws { scratch = try ScratchFolder("sriov") }

        func add(_ address: String, _ interface: String, total: Int, enabled: Int = 0, virtual: [String] = []) throws {
            let folder = scratch("bus/pci/devices/\(address)")
            try Files.makeFolder("\(folder)/net/\(interface)")
            try Files.write("\(folder)/sriov_totalvfs", "\(total)\n")
            try Files.write("\(folder)/sriov_numvfs", "\(enabled)\n")
            for (number, other) in virtual.enumerated() { try Files.makeLink("\(folder)/virtfn\(number)", to: "../\(other)") }
        }

        func enabled(_ address: String) throws -> String {
            try Files.readText(scratch("bus/pci/devices/\(address)/sriov_numvfs")).split(separator: "\n").first.map(String.init) ?? ""
        }
    }

    private func keep(_ tree: Tree, _ rules: [String], inUse: Set<String> = []) throws {
        let keeper = FunctionKeeper(try rules.map { try FunctionRule(parsing: $0) }, sysfs: tree.scratch.path, log: Logger(label: "test"))
        keeper.update(inUse: inUse, isChange: true)
        // Changes are made one after the other.
        while let change = keeper.descriptor {
            _ = try Poller.readable([change], until: .after(.seconds(5)))
            keeper.update(inUse: inUse, isChange: false)
        }
    }

    @Test
    func `each physical function gets the number of the last matching rule`() throws {
        let tree = try Tree()
        try tree.add("0000:3b:00.0", "ens1f0", total: 8)
        try tree.add("0000:3b:00.1", "ens1f1", total: 8, enabled: 2, virtual: ["0000:3b:01.0", "0000:3b:01.1"])
        try tree.add("0000:86:00.0", "ens2f0", total: 4)
        try tree.add("0000:af:00.0", "other", total: 4, enabled: 1)
        try keep(tree, ["ens*=8", "0000:86:00.0=3"])
        #expect(try ["0000:3b:00.0", "0000:3b:00.1", "0000:86:00.0", "0000:af:00.0"].map(tree.enabled) == ["8", "8", "3", "1"])
        try keep(tree, ["ens1*=0"])
        #expect(try ["0000:3b:00.0", "0000:3b:00.1", "0000:86:00.0"].map(tree.enabled) == ["0", "0", "3"])
    }

    @Test
    func `functions of a claim are not changed, and a number above the limit is not tried`() throws {
        let tree = try Tree()
        try tree.add("0000:3b:00.0", "ens1f0", total: 8, enabled: 2, virtual: ["0000:3b:01.0", "0000:3b:01.1"])
        try tree.add("0000:3b:00.1", "ens1f1", total: 8)
        try tree.add("0000:86:00.0", "ens2f0", total: 4)
        try keep(tree, ["ens*=8"], inUse: ["pci-0000-3b-01-1", "pci-0000-3b-00-1"])
        #expect(try ["0000:3b:00.0", "0000:3b:00.1", "0000:86:00.0"].map(tree.enabled) == ["2", "0", "0"])
    }

    @Test(arguments: [
        ("", InputError.Code.malformed), ("ens1f0", .malformed), ("=4", .malformed), ("ens1f0=", .malformed), ("ens1f0=x", .malformed),
        ("ens1f0=-1", .outOfBounds), ("ens1f0=5000", .outOfBounds),
    ])
    func `a malformed rule is refused`(text: String, code: InputError.Code) {
        let error = #expect(throws: InputError.self) { try FunctionRule(parsing: text) }
        #expect(error?.code == code)
    }

    @Test
    func `a plan configures only the virtual function of its own device`() throws {
        let tree = try Tree()
        try tree.add("0000:01:00.0", "eth1", total: 4, enabled: 2, virtual: ["0000:01:00.2", "0000:01:00.3"])
        let sysfs = tree.scratch.path
        func isFunction(_ number: UInt32, _ device: String) -> Bool {
            VirtualFunctionPlan(parent: "eth1", number: number).isFunction(device, of: "0000:01:00.0", sysfs: sysfs)
        }
        #expect(isFunction(0, "0000:01:00.2") && isFunction(1, "0000:01:00.3"))
        #expect(!isFunction(1, "0000:01:00.2") && !isFunction(2, "0000:01:00.2") && !isFunction(0, "0000:02:00.2"))
    }
}
