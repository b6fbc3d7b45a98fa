// SPDX-License-Identifier: Apache-2.0

/// Knowledge about devices by their PCI ids: the only table of accelerators and their vendors.
///
/// Class codes and drivers do not suffice: a Neuron device has class 0880, as chipset timers have.
package enum Catalog {
    /// A family of accelerators, and the name that policy (`--own`) uses for it.
    package enum Family: String, Sendable, CaseIterable {
        case nvidia
        case amd
        case gaudi
        case neuron
        case tpu
        case intel

        /// Name of the family in the option `--own`.
        package var policyName: String {
            switch self {
            case .nvidia, .amd, .intel: "gpus"
            case .gaudi: "gaudis"
            case .neuron: "neurons"
            case .tpu: "tpus"
            }
        }
    }

    private struct Rule {
        var vendor: String
        /// Device ids; empty for all of the vendor.
        var devices: Set<String>
        /// Prefixes of the class code; empty for all.
        var classes: [String]
        var family: Family
    }

    private static let trainium: Set = ["7164", "7364", "7564", "7565"]

    private static let rules: [Rule] = [
        // 3D controllers and display controllers. NVSwitch, class 0680, is not an accelerator.
        Rule(vendor: "10de", devices: [], classes: ["0302", "0300"], family: .nvidia),
        // Instinct: class 1200; generations before CDNA 3 are display controllers of class 0380.
        Rule(vendor: "1002", devices: [], classes: ["1200", "0380"], family: .amd),
        Rule(
            vendor: "1da3", devices: ["1000", "1010", "1020", "1021", "1030", "1060", "1063"], classes: [],
            family: .gaudi),
        // Inferentia 1 and 2, Trainium 1 to 3.
        Rule(vendor: "1d0f", devices: trainium.union(["7064", "7065", "7066", "7067", "7264"]), classes: [], family: .neuron),
        Rule(
            vendor: "1ae0", devices: ["005e", "0056", "0062", "0063", "006f"], classes: [],
            family: .tpu),
        // Data centre GPUs. The graphics of a desktop processor (class 0300) takes no part in pairing.
        Rule(vendor: "8086", devices: [], classes: ["0380"], family: .intel),
    ]

    /// Returns the family of an accelerator, nil for other functions.
    package static func acceleratorFamily(_ function: PCIFunction) -> Family? {
        rules.first { rule in
            rule.vendor == function.vendor
                && (rule.devices.isEmpty || rule.devices.contains(function.device))
                && (rule.classes.isEmpty || rule.classes.contains { function.classCode.hasPrefix($0) })
        }?.family
    }

    /// Returns true for Trainium, false for Inferentia and other devices.
    package static func isTrainium(_ function: PCIFunction) -> Bool {
        function.vendor == "1d0f" && trainium.contains(function.device)
    }

    /// Returns true for an Elastic Fabric Adapter, which has RDMA by its id, also before its driver is bound.
    package static func isEFA(_ function: PCIFunction) -> Bool {
        function.vendor == "1d0f" && function.device.hasPrefix("efa")
    }

    /// Returns true for HPE Slingshot, a fabric without devices of the kernel's RDMA subsystem.
    package static func isSlingshot(_ function: PCIFunction) -> Bool {
        function.vendor == "17db" && function.device == "0501"
    }

    /// Returns true for a network function: class 02 (network controller), or any function with an RDMA device or an interface.
    package static func isNIC(_ function: PCIFunction) -> Bool {
        function.classCode.hasPrefix("02") || !function.rdmaDevices.isEmpty || !function.netdevs.isEmpty
    }

    /// Returns true for a function with an RDMA device, an InfiniBand controller, or an id that is known to support RDMA.
    package static func isRDMACapable(_ function: PCIFunction) -> Bool {
        !function.rdmaDevices.isEmpty || function.classCode.hasPrefix("0207") || isEFA(function) || isSlingshot(function)
    }

    /// Returns true for Google's virtual NIC: without RDMA, but the fabric of the GPUs of A3 machines (GPUDirect-TCPX).
    package static func isFastWithoutRDMA(_ function: PCIFunction) -> Bool {
        function.vendor == "1ae0" && function.device == "0042"
    }

    /// Returns true for the ConnectX InfiniBand functions through which software manages the NVLink switches of an HGX B200 or B300 board:
    /// they have the ids of ordinary NICs, but no workload may have them.
    package static func isNVLinkManager(_ function: PCIFunction, on machine: Machine) -> Bool {
        guard function.vendor == "15b3", function.classCode.hasPrefix("0207") else { return false }
        return machine.functions.contains { $0.vendor == "10de" && ["2901", "2909", "290a", "3182"].contains($0.device) }
    }

    /// Returns true if the PCIe link in sysfs is real. All functions of AWS Nitro show 8 GT/s x16, which is 126 Gb/s, also on instance
    /// types with ports of 200 or 400 Gb/s.
    package static func hasRealLink(_ function: PCIFunction) -> Bool { function.vendor != "1d0f" }

    /// Returns true for a GPU on a coherent link to its processor instead of PCIe (Grace): traffic of a NIC on its NUMA node has the full
    /// rate.
    package static func isCoherentlyAttached(_ function: PCIFunction) -> Bool {
        function.vendor == "10de" && ["2342", "2348", "2941", "31a1", "31c2", "31c3"].contains(function.device)
    }

    /// Returns paths of device nodes that a device shares with other devices.
    ///
    /// NVIDIA's container toolkit adds the shared nodes of NVIDIA's driver to every container. RDMA through the connection manager needs
    /// one node of the host.
    package static func sharedNodes(_ device: Device) -> Set<String> {
        var paths: Set<String> = []
        if device.function?.driver == "vfio-pci" { return ["/dev/vfio/vfio", "/dev/iommu"] }
        switch device.family {
        case .nvidia:
            paths = [
                "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/gdrdrv",
            ]
        case .amd: paths = ["/dev/kfd"]
        case .gaudi, .neuron, .tpu, .intel, nil: break
        }
        // EFA has no connection manager and needs only its own node.
        if !device.rdmaDevices.isEmpty, device.function.map(isEFA) != true { paths.insert("/dev/infiniband/rdma_cm") }
        return paths
    }
}
