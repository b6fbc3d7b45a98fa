// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Finds the device nodes of accelerators: without opening any of them.
struct AcceleratorReader {
    let root: HostRoot

    /// Major number of /dev/nvidia0 and its siblings (Documentation/admin-guide/devices.txt).
    private static let nvidiaMajor: UInt32 = 195

    func complete(_ function: inout PCIFunction) {
        guard let family = Catalog.acceleratorFamily(function) else { return }
        if family == .nvidia { completeNVIDIA(&function) }
        let folder = "sys/bus/pci/devices/\(function.address)"
        for name in root.list(folder + "/drm") where name.hasPrefix("renderD") {
            append(folder + "/drm/\(name)/dev", "/dev/dri/\(name)", to: &function)
        }
        for name in root.list(folder + "/accel") {
            append(folder + "/accel/\(name)/dev", "/dev/accel/\(name)", to: &function)
        }
    }

    /// The driver's own listing: `GPU UUID:` and `Device Minor:`.
    private func completeNVIDIA(_ function: inout PCIFunction) {
        for line in root.lines("proc/driver/nvidia/gpus/\(function.address)/information") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].drop { $0 == " " || $0 == "\t" }
            switch parts[0].prefix(while: { $0 != "\t" }) {
            case "GPU UUID":
                // A driver that cannot read it prints question marks.
                if !value.contains("?") { function.uuid = String(value) }
            case "Device Minor":
                if let minor = UInt32(value) {
                    function.charDevices.append(
                        CharDevice(path: "/dev/nvidia\(minor)", major: Self.nvidiaMajor, minor: minor))
                }
            default: break
            }
        }
    }

    private func append(_ file: String, _ path: String, to function: inout PCIFunction) {
        if let node = CharDevice(path: path, numbers: root.value(file)) { function.charDevices.append(node) }
    }
}

extension CharDevice {
    /// From the `major:minor` of a sysfs `dev` file.
    init?(path: String, numbers: String?) {
        guard let parts = numbers?.split(separator: ":"), parts.count == 2, let major = UInt32(parts[0]),
            let minor = UInt32(parts[1])
        else { return nil }
        self.init(path: path, major: major, minor: minor)
    }
}
