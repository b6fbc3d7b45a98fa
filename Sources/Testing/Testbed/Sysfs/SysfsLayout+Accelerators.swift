// SPDX-License-Identifier: Apache-2.0

import Hardware

extension SysfsLayout {
    /// Files of accelerator drivers in the folder of a function, and of NVIDIA's driver in `/proc`.
    mutating func layOutAccelerator(_ function: PCIFunction, in folder: String) {
        for node in function.charDevices {
            let numbers = "\(node.major):\(node.minor)"
            switch node.path.split(separator: "/").dropLast().joined(separator: "/") {
            case "dev/dri": file("\(folder)/drm/\(node.name)/dev", numbers)
            case "dev/accel": file("\(folder)/accel/\(node.name)/dev", numbers)
            case "dev/vfio": file("sys/class/vfio/\(node.name)/dev", numbers)
            case "dev/vfio/devices": file("\(folder)/vfio-dev/\(node.name)/dev", numbers)
            case "dev" where node.name.hasPrefix("neuron"):
                let place = "sys/devices/virtual/neuron_device/\(node.name)"
                file("\(place)/dev", numbers)
                link("sys/class/neuron_device/\(node.name)", to: place)
                link("\(place)/device", to: folder)
                if let product = function.accelerator?.product {
                    file("\(place)/info/architecture/device_name", product)
                }
            default: break
            }
        }
        switch Catalog.acceleratorFamily(function) {
        case .nvidia:
            var lines: [String] = []
            if let product = function.accelerator?.product { lines.append("Model: \t\t \(product)") }
            if let uuid = function.accelerator?.uuid { lines.append("GPU UUID: \t \(uuid)") }
            if let minor = function.accelerator?.index { lines.append("Device Minor: \t \(minor)") }
            if !lines.isEmpty {
                file("proc/driver/nvidia/gpus/\(function.address)/information", lines.joined(separator: "\n"))
            }
        case .amd:
            if let product = function.accelerator?.product { file("\(folder)/product_name", product) }
            if let memory = function.accelerator?.memory { file("\(folder)/mem_info_vram_total", String(memory)) }
            if let uuid = function.accelerator?.uuid { file("\(folder)/unique_id", uuid) }
        default: break
        }
    }

    /// Links between accelerators: the nodes of AMD's compute driver, and Neuron's lists of neighbours.
    mutating func layOutAcceleratorLinks(of machine: Machine) {
        let amd = machine.functions.filter { Catalog.acceleratorFamily($0) == .amd && $0.accelerator?.hive != nil }
        for (number, function) in amd.enumerated() {
            // Node 0 represents the processors.
            let folder = "sys/class/kfd/kfd/topology/nodes/\(number + 1)"
            let address = function.address
            let location = UInt32(address.bus) << 8 | UInt32(address.device) << 3 | UInt32(address.function)
            file(
                "\(folder)/properties",
                "simd_count 1\nlocation_id \(location)\ndomain \(address.domain)\nhive_id \(function.accelerator?.hive ?? "0")")
            for (link, neighbour) in (function.accelerator?.neighbours ?? []).enumerated() {
                guard let other = amd.firstIndex(where: { $0.address == neighbour }) else { continue }
                file("\(folder)/io_links/\(link)/properties", "type 11\nnode_to \(other + 1)")
            }
        }
        let neurons = machine.functions.filter { Catalog.acceleratorFamily($0) == .neuron }
        for function in neurons {
            guard let index = function.accelerator?.index, let neighbours = function.accelerator?.neighbours,
                !neighbours.isEmpty
            else { continue }
            let others = neighbours.compactMap { address in
                neurons.first { $0.address == address }?.accelerator?.index.map(String.init)
            }
            file(
                "sys/devices/virtual/neuron_device/neuron\(index)/connected_devices", others.joined(separator: ", "))
        }
    }

    /// Nodes of the host, identified by their drivers' numbers or by a class.
    mutating func layOutSharedNodes(of machine: Machine) {
        var drivers: [String] = []
        for node in machine.sharedCharDevices {
            switch node.path {
            case "/dev/nvidiactl": drivers.append("\(node.major) nvidia-frontend")
            case "/dev/nvidia-modeset": directory("sys/module/nvidia_modeset")
            case "/dev/nvidia-uvm": drivers.append("\(node.major) nvidia-uvm")
            case "/dev/nvidia-uvm-tools": break
            case "/dev/gdrdrv": drivers.append("\(node.major) gdrdrv")
            case "/dev/kfd": file("sys/class/kfd/kfd/dev", "\(node.major):\(node.minor)")
            default: file("sys/class/misc/\(node.name)/dev", "\(node.major):\(node.minor)")
            }
        }
        if !drivers.isEmpty {
            file("proc/devices", (["Character devices:"] + drivers + ["", "Block devices:"]).joined(separator: "\n"))
        }
    }
}
