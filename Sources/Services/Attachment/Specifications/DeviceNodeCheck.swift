// SPDX-License-Identifier: Apache-2.0

package import CDI
package import JournalModel
import Linux
import Primitives

/// Checks in sysfs and procfs that a device node belongs to a device.
///
/// The table of nodes is closed: a path that is not in the table is refused.
package struct DeviceNodeCheck: Sendable {
    /// The folder with the host's `sys` and `proc`; empty for the root.
    private let root: String

    package init(root: String) { self.root = root == "/" ? "" : root }

    /// - Throws: ``SpecRefusal`` if the kernel does not list the node as the device's.
    package func check(_ node: NodePlan, of address: String) throws(SpecRefusal) {
        guard let rule = Self.rule(node.path), isRight(node, rule, Place(address)) else {
            throw SpecRefusal(
                .foreignNode, node.path, "the kernel does not list \(node.major):\(node.minor) as a node of device \(address.prefix(64))")
        }
    }

    // MARK: The table

    private enum Rule {
        /// A child of this class below the function or sub-function.
        case child(of: String)
        /// The IOMMU group of the function (Documentation/driver-api/vfio.rst).
        case group
        case neuron
        /// /dev/nvidia0 and the other GPUs.
        case nvidia
        /// A node shared by all functions with this vendor or driver; nil for any function.
        case shared(folder: String, Owner?)
        /// A shared node, found by the name of its major number in /proc/devices; minor numbers are fixed.
        case major([String], minor: UInt32, Owner)
    }

    private enum Owner {
        case vendor(String)
        case driver(String)
    }

    /// Major number of /dev/nvidia0 and the other GPUs (Documentation/admin-guide/devices.txt).
    private static let nvidiaMajor: UInt32 = 195
    private static let nvidiaVendor = Owner.vendor("0x10de")
    private static let amazonVendor = Owner.vendor("0x1d0f")

    private static let whole: [String: Rule] = [
        "/dev/infiniband/rdma_cm": .shared(folder: "sys/class/misc/rdma_cm", nil),
        "/dev/vfio/vfio": .shared(folder: "sys/class/misc/vfio", .driver("vfio-pci")),
        "/dev/iommu": .shared(folder: "sys/class/misc/iommu", .driver("vfio-pci")),
        "/dev/kfd": .shared(folder: "sys/class/kfd/kfd", .vendor("0x1002")),
        "/dev/nvidiactl": .major(["nvidia", "nvidia-frontend"], minor: 255, nvidiaVendor),
        "/dev/nvidia-modeset": .major(["nvidia", "nvidia-frontend"], minor: 254, nvidiaVendor),
        "/dev/nvidia-uvm": .major(["nvidia-uvm"], minor: 0, nvidiaVendor),
        "/dev/nvidia-uvm-tools": .major(["nvidia-uvm"], minor: 1, nvidiaVendor),
        "/dev/gdrdrv": .major(["gdrdrv"], minor: 0, nvidiaVendor),
    ]

    /// Nodes with a number after these prefixes.
    private static let numbered: [(prefix: String, rule: Rule)] = [
        ("/dev/infiniband/uverbs", .child(of: "infiniband_verbs")), ("/dev/infiniband/umad", .child(of: "infiniband_mad")),
        ("/dev/infiniband/issm", .child(of: "infiniband_mad")), ("/dev/dri/renderD", .child(of: "drm")),
        ("/dev/dri/card", .child(of: "drm")), ("/dev/accel/accel", .child(of: "accel")),
        ("/dev/accel/accel_controlD", .child(of: "accel")), ("/dev/vfio/devices/vfio", .child(of: "vfio-dev")),
        ("/dev/vfio/", .group), ("/dev/neuron", .neuron), ("/dev/nvidia", .nvidia),
    ]

    private static func rule(_ path: String) -> Rule? {
        if let rule = whole[path] { return rule }
        return numbered.first { entry in path.hasPrefix(entry.prefix) && isNumber(path.dropFirst(entry.prefix.count)) }?.rule
    }

    private static func isNumber(_ text: some StringProtocol) -> Bool {
        (1...7).contains(text.utf8.count) && text.utf8.allSatisfy(\.isASCIIDigit)
    }

    // MARK: Look-up in sysfs and procfs

    /// The place of a device in the plan.
    private enum Place {
        case function(String)
        case part(String, String)
        case virtual(String)
        case none

        init(_ address: String) {
            let parts = address.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
            func isPlain(_ text: String) -> Bool {
                (1...64).contains(text.utf8.count) && text != "." && text != ".."
                    && text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != 0x2f }
            }
            switch parts.count {
            case 1 where Place.isFunction(parts[0]): self = .function(parts[0])
            case 1 where isPlain(parts[0]): self = .virtual(parts[0])
            case 2 where Place.isFunction(parts[0]) && parts[1].hasPrefix("sf") && isPlain(parts[1]):
                self = .part(parts[0], String(parts[1].dropFirst(2)))
            default: self = .none
            }
        }

        /// `0000:1a:00.0`
        private static func isFunction(_ text: String) -> Bool {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            func isHex(_ text: Substring, _ count: ClosedRange<Int>) -> Bool {
                count.contains(text.utf8.count) && text.utf8.allSatisfy { Hex.value(of: $0) != nil && !$0.isASCIIUppercase }
            }
            guard parts.count == 3, isHex(parts[0], 4...8), isHex(parts[1], 2...2), parts[2].utf8.count == 4 else { return false }
            return isHex(parts[2].prefix(2), 2...2) && parts[2].dropFirst(2).first == "." && ("0"..."7").contains(parts[2].suffix(1))
        }

        var function: String? {
            switch self {
            case .function(let address), .part(let address, _): address
            case .virtual, .none: nil
            }
        }
    }

    private func isRight(_ node: NodePlan, _ rule: Rule, _ place: Place) -> Bool {
        let name = String(node.path[(node.path.lastIndex(of: "/") ?? node.path.startIndex)...].dropFirst())
        switch rule {
        case .child(let kind): return folders(place, kind, name).contains { has(node, $0) }
        case .group:
            guard let function = place.function, has(node, "sys/class/vfio/\(name)") else { return false }
            return Files.linkTarget("\(pci(function))/iommu_group")?.split(separator: "/").last.map(String.init) == name
        case .neuron:
            guard let function = place.function, has(node, "sys/class/neuron_device/\(name)"), isOwned(function, Self.amazonVendor)
            else { return false }
            // The neuron driver may create its devices without a parent; then a match is certain only if the machine has one device of
            // the kind.
            guard let link = Files.linkTarget("\(root)/sys/class/neuron_device/\(name)/device") else {
                return Files.list("\(root)/sys/class/neuron_device").count == 1
            }
            return link.split(separator: "/").last.map(String.init) == function
        case .nvidia:
            guard let function = place.function, node.major == Self.nvidiaMajor, name == "nvidia\(node.minor)" else { return false }
            return lines("proc/driver/nvidia/gpus/\(function)/information").contains { line in
                line.hasPrefix("Device Minor:") && line.dropFirst(13).drop { $0 == " " || $0 == "\t" } == "\(node.minor)"
            }
        case .shared(let folder, let owner): return has(node, folder) && (owner.map { isOwned(place.function, $0) } ?? true)
        case .major(let names, let minor, let owner):
            guard node.minor == minor, isOwned(place.function, owner) else { return false }
            return lines("proc/devices").prefix { !$0.hasPrefix("Block") }.contains { line in
                let fields = line.split(separator: " ")
                return fields.count == 2 && fields[0] == "\(node.major)" && names.contains(String(fields[1]))
            }
        }
    }

    /// Folders below the root in which a device of this class and name belongs to the device.
    private func folders(_ place: Place, _ kind: String, _ name: String) -> [String] {
        switch place {
        case .none: return []
        case .function(let address): return ["sys/bus/pci/devices/\(address)/\(kind)/\(name)"]
        case .part(let address, let number):
            let parts = Files.list(pci(address)).filter { part in
                // Symbolic links lead to other devices: physfn, virtfn0.
                guard Files.linkTarget("\(pci(address))/\(part)") == nil else { return false }
                return part == number || lines("sys/bus/pci/devices/\(address)/\(part)/sfnum").first.map { String($0) } == number
            }
            return parts.map { "sys/bus/pci/devices/\(address)/\($0)/\(kind)/\(name)" }
        case .virtual(let interface):
            // A software RDMA device belongs to its interface.
            let folder = "sys/class/\(kind)/\(name)"
            guard let device = lines("\(folder)/ibdev").first, !device.contains("/"), !device.hasPrefix(".") else { return [] }
            let rdma = "sys/class/infiniband/\(device)"
            let owners = [lines("\(rdma)/parent").first, lines("\(rdma)/ports/1/gid_attrs/ndevs/0").first]
            return owners.contains { $0.map { String($0) } == interface } ? [folder] : []
        }
    }

    private func pci(_ address: String) -> String { "\(root)/sys/bus/pci/devices/\(address)" }

    private func has(_ node: NodePlan, _ folder: String) -> Bool {
        lines("\(folder)/dev").first.map { String($0) } == "\(node.major):\(node.minor)"
    }

    private func isOwned(_ function: String?, _ owner: Owner) -> Bool {
        guard let function else { return false }
        switch owner {
        case .vendor(let vendor): return lines("sys/bus/pci/devices/\(function)/vendor").first.map { String($0) } == vendor
        case .driver(let driver):
            return Files.linkTarget("\(pci(function))/driver")?.split(separator: "/").last.map(String.init) == driver
        }
    }

    private func lines(_ path: String) -> [Substring] {
        ((try? Files.readText("\(root)/\(path)", limit: 65536)) ?? "").split(separator: "\n")
    }
}
