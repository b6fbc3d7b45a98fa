// SPDX-License-Identifier: Apache-2.0

import Hardware
import Primitives

/// A machine as a NCCL topology file, for `NCCL_TOPO_FILE` (nccl, src/graph/xml.cc and topo.cc).
///
/// If the hierarchy is hidden, each pair becomes a switch. Devices can be omitted, so that a container's file has only the container's
/// devices.
///
/// NCCL completes missing attributes only between an accelerator of the job and its processor. A NIC without a link width, or a processor
/// without a kind, ends the job ("Attribute link_width of node pci not found"), so that each element has both, possibly as unknown.
package struct NCCLTopology: Sendable {
    private let topology: MachineTopology
    private let members: Set<String>?

    /// - Parameter members: addresses of the devices in the file; nil for all devices of pairs.
    package init(_ topology: MachineTopology, members: Set<String>? = nil) {
        self.topology = topology
        self.members = members
    }

    /// An element with its children.
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

        /// The link of the element. A bridge of unknown rate gets the fastest link behind it: without one, NCCL assumes 8 GT/s and 16
        /// lanes, and limits faster devices to that (topo.cc, ncclTopoAddPci).
        var fastest: PCILink? { link ?? children.compactMap(\.fastest).max { $0.gigabitsPerSecond < $1.gigabitsPerSecond } }
    }

    package var text: String {
        let machine = topology.machine
        var processors: [Int: Element] = [:]
        for device in machine.devices where device.subFunction == nil {
            guard let function = device.function, topology.pair(of: device) != nil || members != nil else { continue }
            if let members, !members.contains(device.address) { continue }
            // An unknown node is -1, as in NCCL's own detection.
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

    /// Attributes of a processor, from which NCCL derives the rate between processors; for an empty vendor it assumes a high one.
    private var kind: String {
        guard let processor = topology.machine.processor else { return "arch=\"\"" }
        if processor.architecture != .x86 { return "arch=\"\(processor.architecture.rawValue)\"" }
        guard let vendor = processor.vendor, let family = processor.family, let model = processor.model else { return "arch=\"\"" }
        return "arch=\"x86_64\" vendor=\"\(Self.plain(vendor))\" familyid=\"\(family)\" modelid=\"\(model)\""
    }

    private func node(of device: Device) -> Int? {
        device.numaNode ?? device.function.flatMap { topology.hint?.places[$0.address]?.numaNode }
    }

    /// Returns the common NUMA node of a pair's members; nil if they have several.
    private func commonNode(_ pair: Pair) -> Int? {
        let nodes = Set(pair.members.compactMap(node))
        return nodes.count > 1 ? nil : nodes.first ?? -1
    }

    /// Returns the bridges above a device, outermost first; for a hidden hierarchy, a bridge for the pair.
    private func bridges(of device: Device) -> [(name: String, function: PCIFunction?)] {
        let seen = device.function?.bridges ?? []
        if let pair = topology.pair(of: device), commonNode(pair) != nil,
            pair.links.contains(where: { $0.path.pathClass > .pxb || $0.path.basis == .hint })
        {
            // Bus addresses that no machine uses: domain ffff, as in the vendors' files.
            return [("ffff:\(Hex.text(UInt8(truncatingIfNeeded: pair.rail), width: 2)):00.0", nil)]
        }
        return seen.map { ($0.description, topology.machine[$0]) }
    }

    /// Returns a link for a virtual function that does not report one: the link of the port above, as a lower bound.
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

    /// Returns the text without characters that need escapes, which NCCL does not decode.
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
