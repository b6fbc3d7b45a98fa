// SPDX-License-Identifier: Apache-2.0

/// A PCI function with its kernel devices.
package struct PCIFunction: Hashable, Sendable, Codable {
    package var address: PCIAddress
    /// Vendor id, four hexadecimal digits: `10de`.
    package var vendor: String
    /// Device id, four hexadecimal digits: `2330`.
    package var device: String
    /// Class code, six hexadecimal digits: `030200`, a 3D controller.
    package var classCode: String
    /// Subsystem vendor and device: `10de:16c1`.
    package var subsystem: String?
    /// Folders between `/sys/devices` and that of the function, outermost first. `["pci0000:44", "0000:44:00.0"]` is behind one root port;
    /// a function on a hypervisor's bus has other names before the host bridge. Empty if a capture lacks it.
    @SparseList package var path: [String]
    /// NUMA node; nil if unknown, which is -1 in sysfs.
    package var numaNode: Int?
    /// The bound kernel driver; nil for none.
    package var driver: String?
    /// The current link to the next bridge.
    package var link: PCILink?
    /// The fastest and widest link that the function supports.
    package var maximalLink: PCILink?
    /// Redirections of a bridge. Nil if its configuration space could not be read, which means unknown. Empty if none is enabled or
    /// supported.
    package var acs: ACSControl?
    package var iommuGroup: Int?
    /// Numbers of virtual functions, for a physical function that supports them.
    package var sriov: SRIOV?
    /// The physical function of a virtual one.
    package var physicalFunction: PCIAddress?
    /// Index among the virtual functions of the physical function, from 0.
    package var virtualFunctionIndex: Int?
    /// Interfaces of the function itself, and representors of its driver.
    @SparseList package var netdevs: [Netdev]
    @SparseList package var rdmaDevices: [RDMADevice]
    @SparseList package var subFunctions: [SubFunction]
    /// Device nodes of the function itself, without those of its RDMA devices.
    @SparseList package var charDevices: [CharDevice]
    /// Facts about an accelerator.
    package var accelerator: AcceleratorFacts?

    package init(
        address: PCIAddress, vendor: String, device: String, classCode: String, path: [String] = [],
        numaNode: Int? = nil, driver: String? = nil, link: PCILink? = nil,
        physicalFunction: PCIAddress? = nil, netdevs: [Netdev] = [], rdmaDevices: [RDMADevice] = [],
        charDevices: [CharDevice] = []
    ) {
        self.address = address
        self.vendor = vendor
        self.device = device
        self.classCode = classCode
        self.path = path
        self.numaNode = numaNode
        self.driver = driver
        self.link = link
        self.physicalFunction = physicalFunction
        self.netdevs = netdevs
        self.rdmaDevices = rdmaDevices
        subFunctions = []
        self.charDevices = charDevices
    }

    /// The host bridge (`pci0000:44`), the innermost one if a hypervisor nests them.
    package var hostBridge: String? { path.last { $0.hasPrefix("pci") } }

    /// Value of the standard attribute `resource.kubernetes.io/pcieRoot`: a host bridge directly below `/sys/devices` (KEP-4381).
    package var pcieRoot: String? {
        guard let first = path.first, first.hasPrefix("pci") else { return nil }
        return first
    }

    /// The bridges between the host bridge and the function, outermost first.
    package var bridges: [PCIAddress] { path.compactMap { PCIAddress(parsing: $0) } }

    package var isBridge: Bool { classCode.hasPrefix("0604") }
}

/// Numbers of virtual functions of a physical one.
package struct SRIOV: Hashable, Sendable, Codable {
    /// Number that the device supports.
    package var total: Int
    /// Number of existing ones.
    package var enabled: Int

    package init(total: Int, enabled: Int) {
        self.total = total
        self.enabled = enabled
    }
}

extension PCIFunction {
    private enum CodingKeys: String, CodingKey {
        case address, vendor, device
        case classCode = "class"
        case subsystem, path, numaNode, driver, link, maximalLink, acs, iommuGroup, sriov, physicalFunction,
            virtualFunctionIndex, netdevs, rdmaDevices, subFunctions, charDevices, accelerator
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func id(_ key: CodingKeys, digits: Int) throws -> String {
            let text = try values.decode(String.self, forKey: key).lowercased()
            guard text.utf8.count == digits, UInt32(text, radix: 16) != nil else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: values,
                    debugDescription: "\"\(text)\" is not \(digits) hexadecimal digits")
            }
            return text
        }
        address = try values.decode(PCIAddress.self, forKey: .address)
        vendor = try id(.vendor, digits: 4)
        device = try id(.device, digits: 4)
        classCode = try id(.classCode, digits: 6)
        subsystem = try values.decodeIfPresent(String.self, forKey: .subsystem)
        path = try values.list(.path)
        numaNode = try values.decodeIfPresent(Int.self, forKey: .numaNode)
        driver = try values.decodeIfPresent(String.self, forKey: .driver)
        link = try values.decodeIfPresent(PCILink.self, forKey: .link)
        maximalLink = try values.decodeIfPresent(PCILink.self, forKey: .maximalLink)
        acs = try values.decodeIfPresent(ACSControl.self, forKey: .acs)
        iommuGroup = try values.decodeIfPresent(Int.self, forKey: .iommuGroup)
        sriov = try values.decodeIfPresent(SRIOV.self, forKey: .sriov)
        physicalFunction = try values.decodeIfPresent(PCIAddress.self, forKey: .physicalFunction)
        virtualFunctionIndex = try values.decodeIfPresent(Int.self, forKey: .virtualFunctionIndex)
        netdevs = try values.list(.netdevs)
        rdmaDevices = try values.list(.rdmaDevices)
        subFunctions = try values.list(.subFunctions)
        charDevices = try values.list(.charDevices)
        accelerator = try values.decodeIfPresent(AcceleratorFacts.self, forKey: .accelerator)
    }
}
