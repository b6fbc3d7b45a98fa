// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Reads Neuron devices from `/sys/class/neuron_device`.
///
/// The driver may create these devices without a parent, so that sysfs does not relate functions to indices. The relation is certain only
/// with one device and one function; otherwise functions get no index and no device node, because a container could get another
/// function's device.
struct NeuronReader {
    let sysfs: Sysfs

    func complete(_ functions: inout [PCIFunction]) {
        let place = "sys/class/neuron_device"
        let names = sysfs.list(place).filter { $0.hasPrefix("neuron") && Int($0.dropFirst(6)) != nil }
        let own = functions.indices.filter { Catalog.acceleratorFamily(functions[$0]) == .neuron }
        var functionOfIndex: [Int: Int] = [:]
        for name in names {
            guard let number = Int(name.dropFirst(6)) else { continue }
            if let address = sysfs.folder("\(place)/\(name)")?.linkName("device").flatMap({ PCIAddress(parsing: $0) }) {
                functionOfIndex[number] = own.first { functions[$0].address == address }
            } else if names.count == 1, own.count == 1 {
                functionOfIndex[number] = own[0]
            }
        }
        for (number, index) in functionOfIndex {
            guard let folder = sysfs.folder("\(place)/neuron\(number)") else { continue }
            var facts = AcceleratorFacts(product: folder.text("info/architecture/device_name"), index: number)
            let neighbours = folder.text("connected_devices")?.split { $0 == "," || $0 == " " }.compactMap { Int($0) } ?? []
            facts.neighbours = neighbours.compactMap { functionOfIndex[$0].map { functions[$0].address } }
            functions[index].accelerator = facts
            if let node = folder.node("dev", at: "/dev/neuron\(number)") { functions[index].charDevices.append(node) }
        }
        if !names.isEmpty, functionOfIndex.isEmpty {
            sysfs.warn(
                "\(place): \(names[0]) cannot be related to one of \(own.count) PCI functions; none of them gets a device node")
        }
    }
}
