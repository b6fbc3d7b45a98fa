// SPDX-License-Identifier: Apache-2.0

/// What we know of devices by their ids: the one table that says what is an accelerator and who made it.
///
/// Drivers and class codes alone do not tell: a Neuron device has class 0880, as chipset timers have.
package enum Catalog {
    /// A family of accelerators, and the name that policy (`--own`) uses for it.
    package enum Family: String, Sendable, CaseIterable {
        case nvidia
        case amd
        case gaudi
        case neuron
        case tpu
        case intel

        /// Families are owned by kind: GPUs, Neuron devices, Gaudi, TPUs.
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
        /// Device ids; empty for any.
        var devices: Set<String>
        /// Prefixes of the class code; empty for any.
        var classes: [String]
        var family: Family
    }

    private static let rules: [Rule] = [
        // 3D controllers and display controllers; NVSwitch is class 0680 and no accelerator.
        Rule(vendor: "10de", devices: [], classes: ["0302", "0300"], family: .nvidia),
        // Instinct: class 1200; generations before CDNA 3 are display controllers of class 0380.
        Rule(vendor: "1002", devices: [], classes: ["1200", "0380"], family: .amd),
        Rule(
            vendor: "1da3", devices: ["1000", "1010", "1020", "1021", "1030", "1060", "1063"], classes: [],
            family: .gaudi),
        // Inferentia 1 and 2, Trainium 1 to 3.
        Rule(
            vendor: "1d0f", devices: ["7064", "7065", "7066", "7067", "7164", "7264", "7364", "7564", "7565"], classes: [],
            family: .neuron),
        Rule(
            vendor: "1ae0", devices: ["005e", "0056", "0062", "0063", "006f"], classes: [],
            family: .tpu),
        // Data centre GPUs; the graphics of a desktop processor (class 0300) pairs with nothing.
        Rule(vendor: "8086", devices: [], classes: ["0380"], family: .intel),
    ]

    /// The family of an accelerator, nil for anything else.
    package static func acceleratorFamily(_ function: PCIFunction) -> Family? {
        rules.first { rule in
            rule.vendor == function.vendor
                && (rule.devices.isEmpty || rule.devices.contains(function.device))
                && (rule.classes.isEmpty || rule.classes.contains { function.classCode.hasPrefix($0) })
        }?.family
    }

    /// Elastic Fabric Adapter: RDMA capable by its id, also before its driver has bound.
    package static func isEFA(_ function: PCIFunction) -> Bool {
        function.vendor == "1d0f" && function.device.hasPrefix("efa")
    }

    /// HPE Slingshot: a fabric of its own kind, without devices of the kernel's RDMA subsystem.
    package static func isSlingshot(_ function: PCIFunction) -> Bool {
        function.vendor == "17db" && function.device == "0501"
    }

    /// A network function: class 02 (network controller), or anything with an RDMA device or netdev.
    package static func isNIC(_ function: PCIFunction) -> Bool {
        function.classCode.hasPrefix("02") || !function.rdmaDevices.isEmpty || !function.netdevs.isEmpty
    }

    /// Can move data by RDMA: it has an RDMA device, is an InfiniBand controller, or is known to be one.
    package static func isRDMACapable(_ function: PCIFunction) -> Bool {
        !function.rdmaDevices.isEmpty || function.classCode.hasPrefix("0207") || isEFA(function) || isSlingshot(function)
    }

    /// Google's virtual NIC: no RDMA, and still what the GPUs of A3 machines talk over (GPUDirect-TCPX).
    package static func isFastWithoutRDMA(_ function: PCIFunction) -> Bool {
        function.vendor == "1ae0" && function.device == "0042"
    }

    /// The ConnectX InfiniBand functions through which software reaches the NVLink switches of an HGX B200 or
    /// B300 board: they look like any other, but no workload may have them.
    package static func isNVLinkManager(_ function: PCIFunction, on machine: Machine) -> Bool {
        guard function.vendor == "15b3", function.classCode.hasPrefix("0207") else { return false }
        return machine.functions.contains { $0.vendor == "10de" && ["2901", "2909", "290a", "3182"].contains($0.device) }
    }

    /// Whether the PCIe link that a function shows is the one it has. The functions of AWS Nitro show 8 GT/s x16
    /// whatever they are: 126 Gb/s, also where the instance type is sold with ports of 200 or 400.
    package static func hasRealLink(_ function: PCIFunction) -> Bool { function.vendor != "1d0f" }

    /// GPUs that hang on their processor by a coherent link instead of PCIe (Grace): what a NIC of their own
    /// node sends reaches them at full rate.
    package static func isCoherentlyAttached(_ function: PCIFunction) -> Bool {
        function.vendor == "10de" && ["2342", "2348", "2941", "31a1", "31c2", "31c3"].contains(function.device)
    }

    /// Nodes that a device needs and others need too, by path.
    ///
    /// The NVIDIA driver's are those its container toolkit gives to every container; RDMA through the
    /// connection manager needs one node of the host.
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
        // EFA has no connection manager; its node alone is all it needs.
        if !device.rdmaDevices.isEmpty, device.function.map(isEFA) != true { paths.insert("/dev/infiniband/rdma_cm") }
        return paths
    }
}
