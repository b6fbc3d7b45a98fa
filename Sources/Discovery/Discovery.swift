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
        var functions = PCIReader(root: root).functions()
        let netdevs = try NetdevReader(root: root, nodeAddresses: nodeAddresses).netdevs(of: functions)
        let accelerators = AcceleratorReader(root: root)
        for index in functions.indices where !functions[index].isBridge {
            accelerators.complete(&functions[index])
            functions[index].netdevs = netdevs[functions[index].address] ?? []
        }
        readRDMADevices(into: &functions)
        return Machine(
            name: root.value("sys/devices/virtual/dmi/id/product_name"), numaNodes: NUMAReader(root: root).nodes(),
            functions: functions, virtualNetdevs: netdevs[nil] ?? [])
    }

    private func readRDMADevices(into functions: inout [PCIFunction]) {
        // Without any device there is no reason to open a library.
        guard !root.devices(ofClass: "infiniband", functions: functions).isEmpty else { return }
        let known = functions
        let read = { (verbs: [String: VerbsDevice]) in RDMAReader(root: root, verbs: verbs).devices(of: known) }
        let isThisHost = root.isLive && root.path.isEmpty
        let devices = (isThisHost ? Verbs.withDevices(read) : nil) ?? read([:])
        for index in functions.indices { functions[index].rdmaDevices = devices[functions[index].address] ?? [] }
    }
}
