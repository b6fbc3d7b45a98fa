// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Netlink

/// The machine at one moment.
package struct Snapshot: Sendable {
    package var machine: Machine
    /// Implausible values that were dropped: one line each, for the log.
    package var warnings: [String]
}

/// Takes snapshots of a host's devices.
///
/// It only reads, and needs no privilege. Unreadable values are dropped, and never guessed.
package struct Discovery: Sendable {
    package let root: HostRoot
    /// Destinations that the host has to reach. Interfaces on the routes to them are in use by the host.
    package var destinations: HostDestinations
    /// Read once: processors do not change, and on many kernels a read of this file wakes all of them (arch/x86/kernel/cpu/aperfmperf.c).
    private let processor: Processor?

    package init(root: HostRoot, destinations: HostDestinations = HostDestinations()) {
        self.root = root
        self.destinations = destinations
        processor = root.start(of: "proc/cpuinfo").flatMap(Processor.init(information:))
    }

    /// Takes a snapshot. Blocks.
    ///
    /// - Throws: an error if the kernel's interfaces cannot be listed, or the process has no free descriptor or memory.
    package func snapshot() throws(NetlinkError) -> Snapshot {
        let sysfs = Sysfs(root)
        let netdevs = try NetdevReader(sysfs: sysfs, destinations: destinations).netdevs()
        let ownerOfNetdev = Dictionary(
            netdevs.flatMap { owner, netdevs in netdevs.map { ($0.name, owner) } }, uniquingKeysWith: { first, _ in first })
        let rdmaDevices = RDMAReader(sysfs: sysfs, ownerOfNetdev: ownerOfNetdev).devices()
        let owners = Set(netdevs.keys).union(rdmaDevices.keys)
        var functions = PCIReader(sysfs: sysfs, owners: Set(owners.compactMap { $0?.function })).functions()
        for index in functions.indices {
            let owner = Owner(function: functions[index].address)
            functions[index].netdevs = netdevs[owner] ?? []
            functions[index].rdmaDevices = rdmaDevices[owner] ?? []
        }
        for case let owner? in owners {
            guard let name = owner.subFunction, let index = functions.firstIndex(where: { $0.address == owner.function })
            else { continue }
            functions[index].subFunctions.append(
                SubFunction(
                    name: name,
                    number: sysfs.folder("\(PCIReader.bus)/\(owner.function)/\(name)")?.integer("sfnum"),
                    netdevs: netdevs[owner] ?? [], rdmaDevices: rdmaDevices[owner] ?? []))
            functions[index].subFunctions.sort { ($0.number ?? .max, $0.name) < ($1.number ?? .max, $1.name) }
        }
        AcceleratorReader(sysfs: sysfs).complete(&functions)
        ConfigSpace(root: root)?.readAccessControl(of: &functions)
        let machine = Machine(
            name: sysfs.folder("sys/devices/virtual/dmi/id")?.text("product_name"),
            processor: processor, numaNodes: NUMAReader(sysfs: sysfs).nodes(),
            functions: functions, virtualNetdevs: netdevs[nil] ?? [], virtualRDMADevices: rdmaDevices[nil] ?? [],
            sharedCharDevices: SharedNodes(sysfs: sysfs).nodes(for: functions, hasRDMA: !rdmaDevices.isEmpty))
        // A host without its devices would have them withdrawn from the cluster.
        if let shortage = sysfs.shortage { throw NetlinkError("read the host's devices", shortage) }
        return Snapshot(machine: machine, warnings: sysfs.warnings)
    }
}
