// SPDX-License-Identifier: Apache-2.0

package import Linux

/// A PCI function that supports virtual functions, as in sysfs (Documentation/PCI/pci-iov-howto.rst).
package struct PhysicalFunction: Hashable, Sendable {
    /// `0000:3b:00.0`
    package var address: String
    /// Its folder in sysfs.
    var folder: String
    var interfaces: [String]
    package var total: Int
    package var enabled: Int
    /// Addresses of its virtual functions.
    package var virtual: [String]

    /// Reads all physical functions of the machine that support virtual functions.
    ///
    /// - Parameter sysfs: the mount point of a writable sysfs.
    package static func all(sysfs: String) -> [PhysicalFunction] {
        let devices = "\(sysfs)/bus/pci/devices"
        return Files.list(devices).sorted().compactMap { address in
            let folder = "\(devices)/\(address)"
            guard let total = number("\(folder)/sriov_totalvfs"), total > 0, let enabled = number("\(folder)/sriov_numvfs") else {
                return nil
            }
            let virtual = Files.list(folder).filter { $0.hasPrefix("virtfn") }.compactMap { name in
                Files.linkTarget("\(folder)/\(name)")?.split(separator: "/").last.map(String.init)
            }
            return PhysicalFunction(
                address: address, folder: folder, interfaces: Files.list("\(folder)/net"), total: total, enabled: enabled,
                virtual: virtual.sorted())
        }
    }

    private static func number(_ path: String) -> Int? {
        (try? Files.readText(path)).flatMap { Int($0.split(separator: "\n").first ?? "") }
    }

    /// Sets the number of virtual functions. The kernel changes a nonzero number only by way of 0, and the driver may take seconds.
    package func set(_ count: Int) throws(SystemError) {
        if enabled != 0 { try Files.overwrite("\(folder)/sriov_numvfs", "0") }
        if count != 0 { try Files.overwrite("\(folder)/sriov_numvfs", "\(count)") }
    }
}
