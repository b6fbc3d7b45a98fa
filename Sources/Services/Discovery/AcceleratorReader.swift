// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Reads facts and device nodes of accelerators from their drivers' files. Never opens a device node.
struct AcceleratorReader {
    let sysfs: Sysfs

    /// Major number of /dev/nvidia0 and the other GPUs (Documentation/admin-guide/devices.txt).
    private static let nvidiaMajor: UInt32 = 195

    func complete(_ functions: inout [PCIFunction]) {
        var families: Set<Catalog.Family> = []
        for index in functions.indices {
            let family = Catalog.acceleratorFamily(functions[index])
            if let family { families.insert(family) }
            // A function that is passed through has the nodes of vfio.
            if functions[index].driver == "vfio-pci" {
                completeVFIO(&functions[index])
            } else if let family {
                complete(&functions[index], family)
            }
        }
        if families.contains(.amd) { AMDLinks(sysfs: sysfs).complete(&functions) }
        if families.contains(.neuron) { NeuronReader(sysfs: sysfs).complete(&functions) }
    }

    private func complete(_ function: inout PCIFunction, _ family: Catalog.Family) {
        var facts = AcceleratorFacts()
        let place = "\(PCIReader.bus)/\(function.address)"
        switch family {
        case .nvidia: completeNVIDIA(&function, &facts)
        case .amd:
            if let folder = sysfs.folder(place) {
                facts.product = folder.text("product_name")
                facts.uuid = folder.text("unique_id")
                facts.memory = folder.integer("mem_info_vram_total").map { UInt64($0) }
            }
            appendNodes(of: "drm", in: place, at: "/dev/dri", to: &function) { $0.hasPrefix("renderD") || $0.hasPrefix("card") }
        case .intel: appendNodes(of: "drm", in: place, at: "/dev/dri", to: &function) { $0.hasPrefix("renderD") }
        case .gaudi, .tpu: appendNodes(of: "accel", in: place, at: "/dev/accel", to: &function) { $0.hasPrefix("accel") }
        case .neuron: break
        }
        if !facts.isEmpty { function.accelerator = facts }
    }

    /// The driver's own listing: `Model:`, `GPU UUID:` and `Device Minor:`.
    private func completeNVIDIA(_ function: inout PCIFunction, _ facts: inout AcceleratorFacts) {
        for line in sysfs.lines("proc/driver/nvidia/gpus/\(function.address)/information") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].drop { $0 == " " || $0 == "\t" }
            switch parts[0].prefix(while: { $0 != "\t" }) {
            case "Model": if !value.isEmpty { facts.product = String(value) }
            case "GPU UUID":
                // A driver that cannot read the UUID prints question marks.
                if !value.isEmpty, !value.contains("?") { facts.uuid = String(value) }
            case "Device Minor":
                guard let minor = UInt32(value), minor < 1 << 20 else {
                    sysfs.warn("proc/driver/nvidia/gpus/\(function.address)/information: Device Minor is invalid")
                    continue
                }
                facts.index = Int(minor)
                function.charDevices.append(CharDevice(path: "/dev/nvidia\(minor)", major: Self.nvidiaMajor, minor: minor))
            default: break
            }
        }
    }

    /// The node of the IOMMU group, and on newer kernels the device's own node (Documentation/driver-api/vfio.rst).
    private func completeVFIO(_ function: inout PCIFunction) {
        if let group = function.iommuGroup, let node = sysfs.folder("sys/class/vfio/\(group)")?.node("dev", at: "/dev/vfio/\(group)") {
            function.charDevices.append(node)
        }
        let place = "\(PCIReader.bus)/\(function.address)"
        appendNodes(of: "vfio-dev", in: place, at: "/dev/vfio/devices", to: &function) { $0.hasPrefix("vfio") }
    }

    private func appendNodes(
        of kind: String, in place: String, at folder: String, to function: inout PCIFunction, where isWanted: (String) -> Bool
    ) {
        for name in sysfs.list("\(place)/\(kind)") where isWanted(name) {
            if let node = sysfs.folder("\(place)/\(kind)/\(name)")?.node("dev", at: "\(folder)/\(name)") {
                function.charDevices.append(node)
            }
        }
    }
}
