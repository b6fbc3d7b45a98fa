// SPDX-License-Identifier: Apache-2.0

import Hardware
import Linux

/// The function, and the sub-function of it if there is one, that a device belongs to.
struct Owner: Hashable {
    var function: PCIAddress
    /// Name on the auxiliary bus: `mlx5_core.sf.2`.
    var subFunction: String?

    init(function: PCIAddress, subFunction: String? = nil) {
        self.function = function
        self.subFunction = subFunction
    }

    /// The last function on the way to a place in sysfs, with whatever bus (virtio, auxiliary) lies between;
    /// nil for a virtual device.
    init?(path parts: [String]) {
        guard let index = parts.lastIndex(where: { PCIAddress(parsing: $0) != nil }),
            let function = PCIAddress(parsing: parts[index])
        else { return nil }
        self.function = function
        subFunction = parts[(index + 1)...].first { $0.split(separator: ".").dropFirst().first == "sf" }
    }
}

/// A device as one of sysfs's classes lists it: `net`, `infiniband`, `infiniband_verbs`.
struct ClassDevice {
    var name: String
    /// Where its values are.
    var folder: String
    /// Nil for a virtual device.
    var owner: Owner?
}

extension Sysfs {
    /// The devices of a class, by name. A captured tree may lack the class and hold only what is in the
    /// folders of the functions.
    func devices(ofClass name: String) -> [ClassDevice] {
        let place = "sys/class/\(name)"
        var devices: [ClassDevice] = []
        if let folder = folder(place) {
            devices = root.list(place).map { ClassDevice(name: $0, folder: "\(place)/\($0)", owner: owner(of: $0, in: folder)) }
        }
        if root.isLive || !devices.isEmpty { return devices }
        for function in root.list(PCIReader.bus) {
            guard let address = PCIAddress(parsing: function) else { continue }
            let folder = "\(PCIReader.bus)/\(function)/\(name)"
            devices += root.list(folder).map {
                ClassDevice(name: $0, folder: "\(folder)/\($0)", owner: Owner(function: address))
            }
        }
        return devices.sorted { $0.name < $1.name }
    }

    /// Where the entry is a plain folder, its `device` link tells.
    func owner(of name: String, in folder: borrowing SysfsFolder) -> Owner? {
        (folder.linkParts(name) ?? folder.linkParts("\(name)/device")).flatMap(Owner.init(path:))
    }
}
