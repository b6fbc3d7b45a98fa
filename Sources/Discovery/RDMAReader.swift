// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Reads the RDMA devices of a PCI function: sysfs first, libibverbs for what sysfs leaves open.
struct RDMAReader {
    let root: HostRoot
    /// What libibverbs lists, by kernel name; empty without RDMA user space.
    let verbs: [String: VerbsDevice]

    func devices(of address: PCIAddress) -> [RDMADevice] {
        let folder = "sys/bus/pci/devices/\(address)"
        let names = root.list(folder + "/infiniband")
        guard !names.isEmpty else { return [] }
        var nodes: [String: [CharDevice]] = [:]
        for uverbs in root.list(folder + "/infiniband_verbs") {
            let place = "\(folder)/infiniband_verbs/\(uverbs)"
            guard let name = root.value(place + "/ibdev"),
                let node = CharDevice(path: "/dev/infiniband/\(uverbs)", numbers: root.value(place + "/dev"))
            else { continue }
            nodes[name, default: []].append(node)
        }
        return names.map { name in
            let place = "\(folder)/infiniband/\(name)"
            var ports = root.list(place + "/ports").compactMap { Int($0) }.sorted().map { number in
                port(number, in: "\(place)/ports/\(number)")
            }
            if let device = verbs[name] {
                for index in ports.indices where ports[index].state == nil {
                    ports[index] = device.port(ports[index].number) ?? ports[index]
                }
            }
            return RDMADevice(
                name: name, nodeGUID: root.value(place + "/node_guid") ?? verbs[name]?.nodeGUID, ports: ports,
                charDevices: nodes[name] ?? [])
        }
    }

    /// `4: ACTIVE`, `Ethernet`, `100 Gb/sec (4X EDR)`.
    private func port(_ number: Int, in folder: String) -> RDMAPort {
        let state = root.value(folder + "/state").flatMap { $0.split(separator: " ").last }
        let rate = root.value(folder + "/rate").flatMap { $0.split(separator: " ").first }.flatMap { Double($0) }
        return RDMAPort(
            number: number, state: state.map(String.init), linkLayer: root.value(folder + "/link_layer"),
            rate: rate.flatMap { $0.isFinite && $0 > 0 ? $0 : nil })
    }
}
