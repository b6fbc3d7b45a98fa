// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Netlink

/// Takes a snapshot of a host: everything that is known of its devices at one moment.
///
/// It only reads, and needs no privilege. What cannot be read is left out; it is never guessed.
package struct Discovery: Sendable {
    package var root: HostRoot
    /// Addresses under which the node is known to the cluster; their interfaces are uplinks.
    package var nodeAddresses: [String]

    package init(root: HostRoot, nodeAddresses: [String] = []) {
        self.root = root
        self.nodeAddresses = nodeAddresses
    }

    package func snapshot() throws(NetlinkError) -> Machine {
        var netdevs = try NetdevReader(root: root, nodeAddresses: nodeAddresses).netdevs()
        var functions = PCIReader(root: root).functions()
        let accelerators = AcceleratorReader(root: root)
        for index in functions.indices where !functions[index].isBridge {
            accelerators.complete(&functions[index])
            for name in root.list("sys/bus/pci/devices/\(functions[index].address)/net") {
                if let netdev = netdevs.removeValue(forKey: name) { functions[index].netdevs.append(netdev) }
            }
        }
        readRDMADevices(into: &functions)
        return Machine(
            name: root.value("sys/devices/virtual/dmi/id/product_name"), numaNodes: NUMAReader(root: root).nodes(),
            functions: functions, virtualNetdevs: netdevs.values.sorted { $0.name < $1.name })
    }

    private func readRDMADevices(into functions: inout [PCIFunction]) {
        // Without any device there is no reason to open a library.
        guard !root.list("sys/class/infiniband").isEmpty else { return }
        func read(_ verbs: [String: VerbsDevice]) -> [[RDMADevice]] {
            let reader = RDMAReader(root: root, verbs: verbs)
            return functions.map { reader.devices(of: $0.address) }
        }
        let live = root.isLive && root.path.isEmpty
        let devices = (live ? Verbs.withDevices(read) : nil) ?? read([:])
        for index in functions.indices { functions[index].rdmaDevices = devices[index] }
    }
}
