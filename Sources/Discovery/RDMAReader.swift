// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Reads RDMA devices: sysfs first, libibverbs for what sysfs leaves open.
struct RDMAReader {
    let root: HostRoot
    /// What libibverbs lists, by kernel name; empty without RDMA user space.
    let verbs: [String: VerbsDevice]

    /// The devices by the PCI function they belong to; one that belongs to none is left out.
    func devices(of functions: [PCIFunction]) -> [PCIAddress: [RDMADevice]] {
        let nodes = charDevices(of: functions)
        var devices: [PCIAddress: [RDMADevice]] = [:]
        for entry in root.devices(ofClass: "infiniband", functions: functions) {
            guard let owner = entry.owner else { continue }
            let (name, place) = (entry.name, entry.folder)
            var ports = root.list(place + "/ports").compactMap { Int($0) }.sorted().map { number in
                port(number, in: "\(place)/ports/\(number)")
            }
            if let device = verbs[name] {
                for index in ports.indices where ports[index].state == nil {
                    ports[index] = device.port(ports[index].number) ?? ports[index]
                }
            }
            devices[owner, default: []].append(
                RDMADevice(
                    name: name, nodeGUID: root.value(place + "/node_guid") ?? verbs[name]?.nodeGUID, ports: ports,
                    charDevices: nodes[name] ?? []))
        }
        return devices
    }

    /// uverbs nodes by RDMA device.
    private func charDevices(of functions: [PCIFunction]) -> [String: [CharDevice]] {
        var nodes: [String: [CharDevice]] = [:]
        for entry in root.devices(ofClass: "infiniband_verbs", functions: functions) {
            guard let name = root.value(entry.folder + "/ibdev"),
                let node = CharDevice(path: "/dev/infiniband/\(entry.name)", numbers: root.value(entry.folder + "/dev"))
            else { continue }
            nodes[name, default: []].append(node)
        }
        return nodes
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
