// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Topology

/// The findings of `nearside doctor`: defects of a machine that cost bandwidth or devices, each with advice. Pure.
package struct Doctor: Hashable, Sendable, Codable {
    /// The severity of a finding.
    package enum Severity: String, Sendable, Codable, Comparable {
        /// Costs bandwidth, or devices, now.
        case problem
        /// Costs bandwidth or devices under some circumstances.
        case advice

        package static func < (left: Self, right: Self) -> Bool { left == .problem && right == .advice }
    }

    /// A finding with its advice.
    package struct Finding: Hashable, Sendable, Codable {
        package var severity: Severity
        /// Address of the device, or name of another subject.
        package var object: String
        package var finding: String
        package var advice: String
    }

    package private(set) var findings: [Finding] = []

    /// - Parameter host: settings of the host; nil for a description.
    package init(_ topology: MachineTopology, host: HostFacts?) {
        let machine = topology.machine
        let diagnosis = Diagnosis(topology, showsDrivers: host != nil)
        checkLinks(topology, diagnosis)
        checkPorts(topology, diagnosis)
        checkPairs(topology, diagnosis)
        checkDrivers(topology, diagnosis, host)
        if machine.numaNodes.count > 1 {
            let unknown = (topology.pairing.pairs.flatMap(\.members) + topology.pairing.unpairedNICs).filter { device in
                device.numaNode == nil
                    && !topology.pairing.pairs.contains { $0.basis == .hint && $0.members.contains { $0.address == device.address } }
            }
            if !unknown.isEmpty {
                add(
                    .advice, Self.list(unknown), "NUMA node unknown, although the machine has \(machine.numaNodes.count) nodes",
                    "the firmware or hypervisor does not report it; claims with matchAttribute numaNode never get these devices, but dra.nearside/pair works"
                )
            }
        }
        if let host { checkHost(topology, host) }
        findings.sort { ($0.severity, $0.object) < ($1.severity, $1.object) }
    }

    private mutating func add(_ severity: Severity, _ object: String, _ finding: String, _ advice: String) {
        findings.append(Finding(severity: severity, object: object, finding: finding, advice: advice))
    }

    /// Returns up to three addresses, and the number of the others.
    private static func list(_ devices: [Device]) -> String { list(devices.map(\.address)) }

    private static func list(_ names: [String]) -> String {
        names.count <= 3 ? names.joined(separator: " ") : "\(names.prefix(2).joined(separator: " ")) and \(names.count - 2) more"
    }

    // MARK: PCI

    private mutating func checkLinks(_ topology: MachineTopology, _ diagnosis: Diagnosis) {
        let members = topology.pairing.pairs.flatMap(\.members)
        let addresses = members.map(\.address) + members.compactMap(\.function).flatMap(\.bridges).map(\.description)
        var bridges: Set<String> = []
        for address in Set(addresses).sorted() {
            for finding in diagnosis[address] {
                switch finding {
                case .narrowLink(let link, let possible), .slowLink(let link, let possible):
                    add(
                        .problem, address, "the PCIe link runs at \(link.text) instead of \(possible.text)",
                        "reseat the card or its cable, and look for PCIe errors in the kernel's log")
                case .idleLink(let link, let possible):
                    add(
                        .advice, address, "the PCIe link runs at \(link.text) instead of \(possible.text)",
                        "idle GPUs save power with slow links; check again under load")
                case .redirected(let bridge): bridges.insert(bridge)
                default: break
                }
            }
        }
        for bridge in bridges {
            add(
                .problem, bridge, "ACS redirects traffic between devices behind this bridge to the host bridge",
                "disable redirection at the bridge's ports: setpci -s PORT ECAP_ACS+0x6.w=0000, or pci=config_acs= or disable_acs_redir= on the kernel's command line; not on hosts that pass devices to virtual machines"
            )
        }
        for link in topology.pairing.pairs.flatMap(\.links) {
            if let port = link.path.portGbps, let pcie = link.path.pcieGbps, pcie * Bandwidth.efficiency < port * 0.99 {
                add(
                    .problem, link.nic,
                    "the port has \(Int(port)) Gb/s, but the PCIe path to \(link.accelerator) only \(Int(pcie * Bandwidth.efficiency))",
                    "move one of the devices to a slot with a wider link, if available")
            }
        }
    }

    // MARK: Network

    private mutating func checkPorts(_ topology: MachineTopology, _ diagnosis: Diagnosis) {
        for nic in topology.fabric.down {
            add(
                .problem, nic.address, "this fabric NIC has no link; its accelerators share other NICs",
                "check cable, transceiver and switch port of \(nic.rdmaDevices.first?.name ?? "the NIC")")
        }
        let nics = topology.fabric.nics
        for nic in nics {
            for case .slowPort(let rate, let fastest) in diagnosis[nic.address] {
                add(
                    .problem, nic.address, "the port runs at \(Int(rate)) Gb/s, others of its kind at \(Int(fastest))",
                    "check cable, transceiver and switch port")
            }
            if nic.rdmaDevices.flatMap(\.ports).contains(where: { $0.linkLayer == "InfiniBand" && ["INIT", "ARMED"].contains($0.state) }) {
                add(
                    .problem, nic.address, "the InfiniBand port has a link, but is not active",
                    "no subnet manager has configured the port: check that one runs")
            }
            if nic.netdevs.contains(where: { $0.hasCarrier == false && ($0.isEnabled == true || $0.state != "down") }) {
                add(.problem, nic.address, "no carrier on \(nic.netdevs.first?.name ?? "")", "check cable, transceiver and switch port")
            }
        }
        let uplinks = topology.devices.filter { $0.isUplink && $0.isRDMACapable && $0.function != nil }
        for nic in uplinks where nics.contains(where: { $0.function?.device == nic.function?.device }) {
            add(
                .advice, nic.address, "of the fabric's kind, but the node's own traffic uses this NIC: it is never published",
                "move the node's addresses and routes to another NIC")
        }
    }

    // MARK: Pairs

    private mutating func checkPairs(_ topology: MachineTopology, _ diagnosis: Diagnosis) {
        let pairs = topology.pairing.pairs
        for warning in topology.warnings { add(.problem, "hint", warning, "set the file of this machine type, or none") }
        let ordinal = pairs.filter { $0.basis == .ordinal && $0.links.allSatisfy { $0.path.pathClass != .sys } }
        if !ordinal.isEmpty, pairs.count > 1 || ordinal.flatMap(\.nics).count > 1 {
            add(
                .advice, Self.list(ordinal.map(\.name)), "the hierarchy is unknown: accelerators and NICs are paired by their order",
                "set the vendor's NCCL topology file with --hint, or groups in a topology policy")
        }
        let guessed = pairs.filter { $0.basis == .numa }
        if !guessed.isEmpty, guessed.contains(where: { !Self.isCoherent($0) }) {
            add(
                .advice, Self.list(guessed.map(\.name)),
                "only the NUMA nodes are known: devices of a node are paired by their order",
                "if the hypervisor hides PCIe switches, set the vendor's NCCL topology file with --hint")
        }
        let far = pairs.flatMap(\.accelerators).filter { diagnosis[$0.address].contains(.distantNIC) }
        if !far.isEmpty {
            add(
                .problem, Self.list(far), "reach their NICs only across NUMA nodes",
                "their node has too few fabric NICs; check that all NICs are present and have a driver and a link")
        }
        let shares = Set(pairs.map { "\($0.accelerators.count)+\($0.nics.count)" })
        if shares.count > 1 {
            add(
                .problem, Self.list(pairs.map(\.name)), "the pairs are unequal: \(shares.sorted().joined(separator: ", "))",
                "a device is missing, or has no link or driver: compare with another machine of this type")
        }
        if !topology.pairing.unpairedAccelerators.isEmpty {
            add(
                .advice, Self.list(topology.pairing.unpairedAccelerators), "these accelerators have no fabric NIC",
                "if the machine has NICs for them, check their drivers, or select them with --fabric")
        }
    }

    private static func isCoherent(_ pair: Pair) -> Bool {
        pair.accelerators.compactMap(\.function).allSatisfy(Catalog.isCoherentlyAttached)
    }

    // MARK: Drivers and the host

    private static let modules = [
        "mlx5_core": "mlx5_ib", "bnxt_en": "bnxt_re", "ice": "irdma", "mana": "mana_ib", "cxgb4": "iw_cxgb4", "qede": "qedr",
    ]

    private mutating func checkDrivers(_ topology: MachineTopology, _ diagnosis: Diagnosis, _ host: HostFacts?) {
        for device in topology.devices where device.function?.physicalFunction == nil {
            guard let function = device.function, device.subFunction == nil else { continue }
            if host != nil, diagnosis[device.address].contains(.noDriver) {
                let wanted =
                    Catalog.isEFA(function)
                    ? "efa"
                    : device.family.map { $0 == .nvidia ? "nvidia" : $0 == .neuron ? "neuron" : $0 == .amd ? "amdgpu" : "its driver" }
                        ?? "its driver"
                add(.problem, device.address, "this \(device.word) has no driver", "load \(wanted): modprobe \(wanted), or install it")
            }
            // A NIC whose driver supports RDMA, but without the driver's RDMA module.
            if device.kind == .nic, device.rdmaDevices.isEmpty, let driver = function.driver, let missing = Self.modules[driver],
                host?.modules.map({ !$0.contains(missing) }) == true
            {
                add(.advice, device.address, "no RDMA: \(missing) is not loaded", "modprobe \(missing)")
            }
        }
    }

    private mutating func checkHost(_ topology: MachineTopology, _ host: HostFacts) {
        let members = topology.pairing.pairs.flatMap(\.members)
        let families = Set(members.compactMap(\.family))
        if let modules = host.modules, !topology.fabric.nics.isEmpty {
            for module in ["ib_uverbs", "rdma_ucm"] where !modules.contains(module) {
                let isEFA = topology.fabric.nics.allSatisfy { $0.function.map(Catalog.isEFA) == true }
                if module == "ib_uverbs" || !isEFA {
                    add(.problem, module, "the kernel module is not loaded: containers cannot use RDMA", "modprobe \(module)")
                }
            }
        }
        if families.contains(.nvidia), let modules = host.modules, !modules.contains("nvidia_peermem"), host.hasOpenNVIDIADriver != true {
            add(
                .problem, "GPUDirect",
                "nvidia_peermem is not loaded, and the driver does not export dma-buf: NICs cannot access GPU memory",
                "modprobe nvidia_peermem, or install NVIDIA's open kernel modules")
        }
        let translated = members.compactMap(\.function).filter { function in
            function.iommuGroup.flatMap { host.translation[$0] }.map { $0.hasPrefix("DMA") } == true
        }
        if !translated.isEmpty {
            add(
                .advice, "IOMMU",
                "the IOMMU translates \(translated.count) of the paired devices, which slows traffic between them",
                "set iommu=pt on the kernel's command line")
        }
        if let limit = host.lockedMemory, limit < 1 << 30, !topology.fabric.nics.isEmpty {
            add(
                .advice, "limits", "a process may lock only \(limit >> 10) KiB of memory; RDMA locks registered memory",
                "set LimitMEMLOCK=infinity for the container runtime's service")
        }
        if !host.hasNRISocket {
            add(
                .advice, "NRI", "/var/run/nri/nri.sock is missing: without NRI, only the gate moves interfaces",
                "enable NRI in the runtime's configuration; containerd 2 enables it by default")
        }
    }

    // MARK: Text

    package var hasProblems: Bool { findings.contains { $0.severity == .problem } }

    /// Formats the findings for a terminal.
    package func text(_ terminal: Terminal) -> String {
        guard !findings.isEmpty else { return "no problem found\n" }
        var text = ""
        for finding in findings {
            let mark = finding.severity == .problem ? terminal.alarm("problem") : "advice "
            text += "\(mark)  \(finding.object): \(finding.finding)\n         -> \(finding.advice)\n"
        }
        let problems = findings.count { $0.severity == .problem }
        func count(_ number: Int, _ one: String, _ more: String) -> String { "\(number) \(number == 1 ? one : more)" }
        return text + "\(count(problems, "problem", "problems")), \(count(findings.count - problems, "piece", "pieces")) of advice\n"
    }
}
