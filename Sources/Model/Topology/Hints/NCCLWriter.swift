// SPDX-License-Identifier: Apache-2.0

import Hardware

/// A machine as a NCCL topology file, for `NCCL_TOPO_FILE` (nccl, src/graph/xml.cc and topo.cc).
///
/// Where the hierarchy is hidden, each pair becomes a switch: that is what the file is for. Devices can be left
/// out, so that a container is told of its own ones only.
///
/// NCCL completes what a file leaves out only on the way from an accelerator of the job to its processor. A NIC whose link, or a processor
/// whose kind is not said, ends the job ("Attribute link_width of node pci not found"), so both are said of all, if only as unknown.
package struct NCCLTopology: Sendable {
    private let topology: MachineTopology
    private let members: Set<String>?

    /// - Parameter members: addresses of the devices that the file names; nil for all that are in pairs.
    package init(_ topology: MachineTopology, members: Set<String>? = nil) {
        self.topology = topology
        self.members = members
    }

    /// An element and what is in it.
    private final class Element {
        let head: String
        let identity: String
        let link: PCILink?
        var children: [Element] = []

        init(_ head: String, identity: String = "", link: PCILink? = nil) {
            self.head = head
            self.identity = identity
            self.link = link
        }

        /// A bridge of which nobody says how fast it is, is as fast as what is behind it. Without a word NCCL takes a link for one of 8 GT/s
        /// and 16 lanes, and uses less of what is faster (topo.cc, ncclTopoAddPci).
        var fastest: PCILink? { link ?? children.compactMap(\.fastest).max { $0.gigabitsPerSecond < $1.gigabitsPerSecond } }
    }

    package var text: String {
        let machine = topology.machine
        var processors: [Int: Element] = [:]
        for device in machine.devices where device.subFunction == nil {
            guard let function = device.function, topology.pair(of: device) != nil || members != nil else { continue }
            if let members, !members.contains(device.address) { continue }
            // Where nobody knows, as NCCL has it for what it finds itself.
            let node = node(of: device) ?? topology.pair(of: device).flatMap(commonNode) ?? -1
            let processor = processors[node] ?? Element("cpu numaid=\"\(node)\" \(kind)")
            processors[node] = processor
            var parent = processor
            for (name, bridge) in bridges(of: device) {
                if let found = parent.children.first(where: { $0.identity == name }) {
                    parent = found
                } else {
                    let element = Element(Self.head(name, "0x060400", bridge), identity: name, link: bridge?.link)
                    parent.children.append(element)
                    parent = element
                }
            }
            let leaf = Element(
                Self.head(function.address.description, "0x\(function.classCode)", function), link: function.link ?? Self.leastLink(device))
            parent.children.append(leaf)
            if device.kind == .nic, !device.rdmaDevices.isEmpty {
                let nic = Element("nic")
                leaf.children.append(nic)
                for (index, rdma) in device.rdmaDevices.enumerated() {
                    let port = rdma.ports.first
                    let speed = port?.rate.map { " speed=\"\(Int($0 * 1000))\"" } ?? ""
                    nic.children.append(
                        Element("net name=\"\(Self.plain(rdma.name))\" dev=\"\(index)\"\(speed) port=\"\(port?.number ?? 1)\""))
                }
            }
        }
        var lines = ["<system version=\"1\">"]
        for (_, processor) in processors.sorted(by: { $0.key < $1.key }) { Self.write(processor, "  ", &lines) }
        return (lines + ["</system>"]).joined(separator: "\n") + "\n"
    }

    /// What NCCL knows speeds between processors by; with an empty word it takes them for fast.
    private var kind: String {
        guard let processor = topology.machine.processor else { return "arch=\"\"" }
        if processor.architecture != .x86 { return "arch=\"\(processor.architecture.rawValue)\"" }
        guard let vendor = processor.vendor, let family = processor.family, let model = processor.model else { return "arch=\"\"" }
        return "arch=\"x86_64\" vendor=\"\(Self.plain(vendor))\" familyid=\"\(family)\" modelid=\"\(model)\""
    }

    private func node(of device: Device) -> Int? {
        device.numaNode ?? device.function.flatMap { topology.hint?.places[$0.address]?.numaNode }
    }

    /// The node that all members of a pair are on, as far as theirs are known; nil when they are on several.
    private func commonNode(_ pair: Pair) -> Int? {
        let nodes = Set(pair.members.compactMap(node))
        return nodes.count > 1 ? nil : nodes.first ?? -1
    }

    /// The bridges above a device, outermost first; those that the kernel does not show are made up of pairs.
    private func bridges(of device: Device) -> [(name: String, function: PCIFunction?)] {
        let seen = device.function?.bridges ?? []
        if let pair = topology.pair(of: device), commonNode(pair) != nil,
            pair.links.contains(where: { $0.path.pathClass > .pxb || $0.path.basis == .hint })
        {
            // Bus addresses that no machine has: domain ffff, as the vendors' own files have them.
            let number = String(pair.rail % 256, radix: 16)
            return [("ffff:\(number.count < 2 ? "0" : "")\(number):00.0", nil)]
        }
        return seen.map { ($0.description, topology.machine[$0]) }
    }

    /// Virtual functions often do not tell their link; it is at least as fast as the port behind it.
    private static func leastLink(_ device: Device) -> PCILink? {
        guard let rate = device.rdmaDevices.flatMap(\.ports).compactMap(\.rate).max() else { return nil }
        return [8, 16, 32, 64].map { PCILink(gigatransfers: $0, lanes: 16) }.first { $0.gigabitsPerSecond >= rate }
    }

    private static func head(_ name: String, _ classCode: String, _ function: PCIFunction?) -> String {
        var text = "pci busid=\"\(name)\" class=\"\(classCode)\""
        if let function {
            text += " vendor=\"0x\(function.vendor)\" device=\"0x\(function.device)\""
            if let ids = function.subsystem?.split(separator: ":"), ids.count == 2 {
                text += " subsystem_vendor=\"0x\(ids[0])\" subsystem_device=\"0x\(ids[1])\""
            }
        }
        return text
    }

    /// NCCL reads no escapes.
    private static func plain(_ text: String) -> String { text.filter { !"\"<>&".contains($0) } }

    private static func write(_ element: Element, _ indent: String, _ lines: inout [String]) {
        let link = element.fastest
        let speed = link.map { "\($0.gigatransfers) GT/s PCIe" } ?? ""
        let name = element.head.prefix { $0 != " " }
        let head = indent + "<" + element.head + (name == "pci" ? " link_speed=\"\(speed)\" link_width=\"\(link?.lanes ?? 0)\"" : "")
        if element.children.isEmpty {
            lines.append(head + "/>")
            return
        }
        lines.append(head + ">")
        for child in element.children { write(child, indent + "  ", &lines) }
        lines.append("\(indent)</\(name)>")
    }
}
