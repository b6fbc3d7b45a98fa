// SPDX-License-Identifier: Apache-2.0

import Hardware
import Linux

/// A device as one of sysfs's classes lists it: `net`, `infiniband`, `infiniband_verbs`.
struct ClassDevice {
    var name: String
    /// Where its values are.
    var folder: String
    /// The PCI function it belongs to; nil for a virtual device.
    var owner: PCIAddress?
}

extension HostRoot {
    /// The devices of a class, by name. A captured tree may lack the class and hold only what is in the
    /// folders of the functions.
    func devices(ofClass name: String, functions: [PCIFunction]) -> [ClassDevice] {
        let listed = list("sys/class/\(name)").map { device in
            ClassDevice(name: device, folder: "sys/class/\(name)/\(device)", owner: owner(of: "sys/class/\(name)/\(device)"))
        }
        if isLive || !listed.isEmpty { return listed }
        return functions.flatMap { function in
            let folder = "sys/bus/pci/devices/\(function.address)/\(name)"
            return list(folder).map { ClassDevice(name: $0, folder: "\(folder)/\($0)", owner: function.address) }
        }.sorted { $0.name < $1.name }
    }

    /// The last function on the way to the entry's place in sysfs, with whatever bus (virtio, auxiliary)
    /// lies between. Where the entry is a plain folder, its `device` link tells.
    func owner(of entry: String) -> PCIAddress? {
        for link in [entry, "\(entry)/device"] {
            let target = Files.linkTarget(self(link)) ?? ""
            let address = target.split(separator: "/").reversed().lazy.compactMap { PCIAddress(parsing: $0) }.first
            if let address { return address }
        }
        return nil
    }
}
