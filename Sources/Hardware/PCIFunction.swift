// SPDX-License-Identifier: Apache-2.0

/// One function on the PCI bus, with what the kernel made of it.
package struct PCIFunction: Hashable, Sendable, Codable {
    package var address: PCIAddress
    /// Vendor id, four hexadecimal digits: `10de`.
    package var vendor: String
    /// Device id, four hexadecimal digits: `2330`.
    package var device: String
    /// Class code, six hexadecimal digits: `030200`, a 3D controller.
    package var classCode: String
    /// Where the function hangs: the folders between `/sys/devices` and its own, outermost first.
    /// `["pci0000:44", "0000:44:00.0"]` is behind one root port; a function under a hypervisor's bus
    /// has other names before the host bridge. Empty when the capture does not tell.
    package var path: [String]
    /// NUMA node; nil when the kernel says -1, which means unknown.
    package var numaNode: Int?
    /// The bound kernel driver.
    package var driver: String?
    /// The link to the next bridge as it runs now.
    package var link: PCILink?
    /// The physical function, if this is a virtual one.
    package var physicalFunction: PCIAddress?
    package var netdevs: [Netdev]
    package var rdmaDevices: [RDMADevice]
    /// Device nodes of the function itself (not those of its RDMA devices).
    package var charDevices: [CharDevice]
    /// Serial or UUID as the driver tells it.
    package var uuid: String?

    package init(
        address: PCIAddress, vendor: String, device: String, classCode: String, path: [String] = [],
        numaNode: Int? = nil, driver: String? = nil, link: PCILink? = nil,
        physicalFunction: PCIAddress? = nil, netdevs: [Netdev] = [], rdmaDevices: [RDMADevice] = [],
        charDevices: [CharDevice] = [], uuid: String? = nil
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
        self.charDevices = charDevices
        self.uuid = uuid
    }

    /// The host bridge (`pci0000:44`), the innermost one if a hypervisor nests them.
    package var hostBridge: String? { path.last { $0.hasPrefix("pci") } }

    /// The value of the standard attribute `resource.kubernetes.io/pcieRoot`: only a host bridge that
    /// stands directly below `/sys/devices` counts (KEP-4381).
    package var pcieRoot: String? {
        guard let first = path.first, first.hasPrefix("pci") else { return nil }
        return first
    }

    /// The bridges between the host bridge and the function, outermost first.
    package var bridges: [PCIAddress] { path.compactMap { PCIAddress(parsing: $0) } }

    package var isBridge: Bool { classCode.hasPrefix("0604") }

    private enum CodingKeys: String, CodingKey {
        case address, vendor, device
        case classCode = "class"
        case path, numaNode, driver, link, physicalFunction, netdevs, rdmaDevices, charDevices, uuid
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
        self.init(
            address: try values.decode(PCIAddress.self, forKey: .address),
            vendor: try id(.vendor, digits: 4),
            device: try id(.device, digits: 4),
            classCode: try id(.classCode, digits: 6),
            path: try values.decodeIfPresent([String].self, forKey: .path) ?? [],
            numaNode: try values.decodeIfPresent(Int.self, forKey: .numaNode),
            driver: try values.decodeIfPresent(String.self, forKey: .driver),
            link: try values.decodeIfPresent(PCILink.self, forKey: .link),
            physicalFunction: try values.decodeIfPresent(PCIAddress.self, forKey: .physicalFunction),
            netdevs: try values.decodeIfPresent([Netdev].self, forKey: .netdevs) ?? [],
            rdmaDevices: try values.decodeIfPresent([RDMADevice].self, forKey: .rdmaDevices) ?? [],
            charDevices: try values.decodeIfPresent([CharDevice].self, forKey: .charDevices) ?? [],
            uuid: try values.decodeIfPresent(String.self, forKey: .uuid))
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(address, forKey: .address)
        try values.encode(vendor, forKey: .vendor)
        try values.encode(device, forKey: .device)
        try values.encode(classCode, forKey: .classCode)
        try values.encode(path, forKey: .path)
        try values.encodeIfPresent(numaNode, forKey: .numaNode)
        try values.encodeIfPresent(driver, forKey: .driver)
        try values.encodeIfPresent(link, forKey: .link)
        try values.encodeIfPresent(physicalFunction, forKey: .physicalFunction)
        if !netdevs.isEmpty { try values.encode(netdevs, forKey: .netdevs) }
        if !rdmaDevices.isEmpty { try values.encode(rdmaDevices, forKey: .rdmaDevices) }
        if !charDevices.isEmpty { try values.encode(charDevices, forKey: .charDevices) }
        try values.encodeIfPresent(uuid, forKey: .uuid)
    }
}

/// A PCI Express link: how fast each lane runs, and how many there are.
package struct PCILink: Hashable, Sendable, Codable {
    /// Transfers per second and lane in 10^9: 2.5, 5, 8, 16, 32 or 64.
    package var gigatransfers: Double
    package var lanes: Int

    package init(gigatransfers: Double, lanes: Int) {
        self.gigatransfers = gigatransfers
        self.lanes = lanes
    }

    /// What the link carries in Gb/s after its line code: 8b/10b up to 5 GT/s, 128b/130b up to
    /// 32 GT/s, and no code but fixed-size flits above (PCI Express Base 6.0, sections 4.2.1 and 4.2.2).
    package var gigabitsPerSecond: Double {
        let code = gigatransfers <= 5 ? 0.8 : gigatransfers <= 32 ? 128.0 / 130.0 : 1
        return gigatransfers * Double(lanes) * code
    }
}

/// A character device a container needs to use a device.
package struct CharDevice: Hashable, Sendable, Codable {
    /// Path below the host's root: `/dev/infiniband/uverbs0`.
    package var path: String
    package var major: UInt32
    package var minor: UInt32

    package init(path: String, major: UInt32, minor: UInt32) {
        self.path = path
        self.major = major
        self.minor = minor
    }
}
