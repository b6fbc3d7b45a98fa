// SPDX-License-Identifier: Apache-2.0

import Hardware

/// The PCI function, and the sub-function if there is one, that a device belongs to.
struct Owner: Hashable {
    var function: PCIAddress
    /// Name on the auxiliary bus: `mlx5_core.sf.2`.
    var subFunction: String?

    init(function: PCIAddress, subFunction: String? = nil) {
        self.function = function
        self.subFunction = subFunction
    }

    /// Finds the last PCI function on a path of sysfs, before any other bus (virtio, auxiliary); nil for a virtual device.
    init?(path: ArraySlice<UInt8>) {
        var end = path.endIndex
        var behind = end
        while true {
            let start = path[..<end].lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? path.startIndex
            if let function = PCIAddress(bytes: path[start..<end].span) {
                self.function = function
                break
            }
            behind = start
            guard start > path.startIndex else { return nil }
            end = start - 1
        }
        subFunction = nil
        // The second component of `mlx5_core.sf.2` is "sf".
        for part in path[behind...].split(separator: UInt8(ascii: "/")) where Self.isSubFunction(part) {
            subFunction = String(decoding: part, as: UTF8.self)
            break
        }
    }

    private static func isSubFunction(_ part: ArraySlice<UInt8>) -> Bool {
        guard let point = part.firstIndex(of: UInt8(ascii: ".")) else { return false }
        return part[(point + 1)...].dropping("sf.") != nil
    }
}

/// A device in a class of sysfs: `net`, `infiniband`, `infiniband_verbs`.
struct ClassDevice {
    var name: String
    /// The folder with its values.
    var folder: String
    /// Nil for a virtual device.
    var owner: Owner?
}

extension Sysfs {
    /// The devices of a class, by name. A captured tree may lack the class, and then the folders of the functions
    /// list the devices.
    ///
    /// - Parameter owned: false to skip the owners, which need a system call each.
    func devices(ofClass name: String, owned: Bool = true) -> [ClassDevice] {
        let place = "sys/class/\(name)"
        if let folder = folder(place) {
            return list(place).map {
                ClassDevice(name: $0, folder: "\(place)/\($0)", owner: owned ? owner(of: $0, in: folder) : nil)
            }
        }
        if root.isLive { return [] }
        var devices: [ClassDevice] = []
        for function in list(PCIReader.bus) {
            guard let address = PCIAddress(parsing: function) else { continue }
            let folder = "\(PCIReader.bus)/\(function)/\(name)"
            devices += list(folder).map {
                ClassDevice(name: $0, folder: "\(folder)/\($0)", owner: Owner(function: address))
            }
        }
        return devices.sorted { $0.name < $1.name }
    }

    /// The owner, from the entry's link, or from the `device` link of a plain folder.
    func owner(of name: String, in folder: borrowing SysfsFolder) -> Owner? {
        if let owner = folder.withTarget(of: name, Owner.init(path:)) { return owner }
        return folder.withTarget(of: "\(name)/device", Owner.init(path:)) ?? nil
    }
}
