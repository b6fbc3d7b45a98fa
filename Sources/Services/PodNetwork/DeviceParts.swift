// SPDX-License-Identifier: Apache-2.0

import Linux

/// The device that an RDMA device belongs to, and the interfaces that depend on a device, by what sysfs shows: a plan may be mistaken or
/// forged.
package struct DeviceParts: Sendable {
    private let sysfs: String

    /// - Parameter sysfs: the path where it is mounted.
    package init(sysfs: String) { self.sysfs = sysfs }

    /// Names of interfaces of the host that lose their RDMA device when it is moved.
    ///
    /// - Parameter device: its name in the kernel (`0000:8a:00.0`, `mlx5_core.sf.2`), or as a plan has it (`0000:8a:00.0/sf88`).
    /// - Throws: when the RDMA device is not the device's.
    package func interfaces(ofRDMADevice name: String, of device: String?) throws(PodNetworkError) -> [String] {
        let parts = Self.isName(name) ? (Files.linkTarget("\(sysfs)/class/infiniband/\(name)") ?? "").split(separator: "/") : []
        // .../0000:8a:00.0/infiniband/mlx5_0, with the part's name behind the address where it is a part.
        let place = parts.dropLast(2).suffix(2).map { String($0) }
        guard let owner = place.last, parts.suffix(2).first == "infiniband", let device,
            owner == device || place.first == String(device.prefix { $0 != "/" }) && device.contains("/sf")
        else {
            throw PodNetworkError(
                .otherDevice, name, "move it into the pod",
                "sysfs does not show it as the RDMA device of \(device ?? "any device of the plan")")
        }
        let folder = parts.dropLast(2).filter { $0 != ".." }.joined(separator: "/")
        return Files.list("\(sysfs)/\(folder)/net")
    }

    /// Names of interfaces of the host that are a device's virtual functions.
    package func virtualInterfaces(of device: String) -> [String] {
        guard Self.isName(device) else { return [] }
        let folder = "\(sysfs)/bus/pci/devices/\(device)"
        return Files.list(folder).filter { $0.hasPrefix("virtfn") }.flatMap { Files.list("\(folder)/\($0)/net") }
    }

    /// True for one part of a path.
    private static func isName(_ text: String) -> Bool { !text.isEmpty && !text.contains("/") && !text.hasPrefix(".") }
}
