// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Finds device nodes that belong to a driver and not to one device. Reads their numbers from the kernel's files, because the container's
/// `/dev` lacks the nodes.
struct SharedNodes {
    let sysfs: Sysfs

    func nodes(for functions: [PCIFunction], hasRDMA: Bool) -> [CharDevice] {
        var nodes: [CharDevice] = []
        if hasRDMA { nodes += misc("rdma_cm", at: "/dev/infiniband/rdma_cm") }
        if functions.contains(where: { $0.driver == "vfio-pci" }) {
            nodes += misc("vfio", at: "/dev/vfio/vfio") + misc("iommu", at: "/dev/iommu")
        }
        let families = Set(functions.compactMap(Catalog.acceleratorFamily))
        if families.contains(.nvidia) { nodes += nvidia() }
        if families.contains(.amd), let node = sysfs.folder("sys/class/kfd/kfd")?.node("dev", at: "/dev/kfd") {
            nodes.append(node)
        }
        return nodes.sorted { $0.path < $1.path }
    }

    private func misc(_ name: String, at path: String) -> [CharDevice] {
        (sysfs.folder("sys/class/misc/\(name)")?.node("dev", at: path)).map { [$0] } ?? []
    }

    /// The minor numbers of the driver's nodes are fixed (documentation of nvidia-modprobe); the major numbers are in
    /// `/proc/devices`.
    private func nvidia() -> [CharDevice] {
        var nodes: [CharDevice] = []
        for line in sysfs.lines("proc/devices").prefix(while: { !$0.hasPrefix("Block") }) {
            let fields = line.split(separator: " ")
            guard fields.count == 2, let major = UInt32(fields[0]) else { continue }
            switch fields[1] {
            // The name of newer drivers is nvidia, of older ones nvidia-frontend.
            case "nvidia", "nvidia-frontend":
                nodes.append(CharDevice(path: "/dev/nvidiactl", major: major, minor: 255))
                if sysfs.folder("sys/module/nvidia_modeset") != nil {
                    nodes.append(CharDevice(path: "/dev/nvidia-modeset", major: major, minor: 254))
                }
            case "nvidia-uvm":
                nodes.append(CharDevice(path: "/dev/nvidia-uvm", major: major, minor: 0))
                nodes.append(CharDevice(path: "/dev/nvidia-uvm-tools", major: major, minor: 1))
            case "gdrdrv": nodes.append(CharDevice(path: "/dev/gdrdrv", major: major, minor: 0))
            default: break
            }
        }
        return nodes
    }
}
