// SPDX-License-Identifier: Apache-2.0

import Linux
import Primitives

/// The owner of an RDMA device and the interfaces that depend on a device, as sysfs shows them. A plan may be wrong or forged.
package struct DeviceParts: Sendable {
    private let sysfs: String

    /// - Parameter sysfs: the mount point.
    package init(sysfs: String) { self.sysfs = sysfs }

    /// Names of interfaces on the host that lose this RDMA device when it moves.
    ///
    /// - Parameter device: the name in the kernel (`0000:8a:00.0`, `mlx5_core.sf.2`), or in a plan (`0000:8a:00.0/sf88`).
    /// - Throws: if the RDMA device does not belong to the device.
    package func interfaces(ofRDMADevice name: String, of device: String?) throws(PodNetworkError) -> [String] {
        let parts = Self.isName(name) ? (Files.linkTarget("\(sysfs)/class/infiniband/\(name)") ?? "").split(separator: "/") : []
        // .../0000:8a:00.0/infiniband/mlx5_0; a sub-function's name follows the address.
        let place = parts.dropLast(2).suffix(2).map { String($0) }
        guard let owner = place.last, parts.suffix(2).first == "infiniband", let device,
            owner == device || place.first == String(device.prefix { $0 != "/" }) && device.includes("/sf")
        else {
            throw PodNetworkError(
                .otherDevice, name, "move into the pod",
                "sysfs does not show it as the RDMA device of \(device ?? "any device of the plan")")
        }
        let folder = parts.dropLast(2).filter { $0 != ".." }.joined(separator: "/")
        return Files.list("\(sysfs)/\(folder)/net")
    }

    /// Names of interfaces on the host that are virtual functions of a device.
    package func virtualInterfaces(of device: String) -> [String] {
        guard Self.isName(device) else { return [] }
        let folder = "\(sysfs)/bus/pci/devices/\(device)"
        return Files.list(folder).filter { $0.hasPrefix("virtfn") }.flatMap { Files.list("\(folder)/\($0)/net") }
    }

    /// True for a single component of a path.
    private static func isName(_ text: String) -> Bool { !text.isEmpty && !text.contains("/") && !text.hasPrefix(".") }
}
