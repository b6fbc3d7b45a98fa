// SPDX-License-Identifier: Apache-2.0

import Hardware

/// A machine as a NCCL topology file, for `NCCL_TOPO_FILE` (nccl, src/graph/xml.cc and topo.cc).
///
/// Where the hierarchy is hidden, each pair becomes a switch: that is what the file is for. Devices can be left
/// out, so that a container is told of its own ones only.
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
        var children: [Element] = []

        init(_ head: String, identity: String = "") {
            self.head = head
            self.identity = identity
        }
    }

    package var text: String {
        let machine = topology.machine
        var processors: [Int: Element] = [:]
        for device in machine.devices where device.subFunction == nil {
            guard let function = device.function, topology.pair(of: device) != nil || members != nil else { continue }
            if let members, !members.contains(device.address) { continue }
            let node = node(of: device) ?? topology.pair(of: device).flatMap(commonNode) ?? 0
            let processor = processors[node] ?? Element("<cpu numaid=\"\(node)\">")
            processors[node] = processor
            var parent = processor
            for (name, bridge) in bridges(of: device) {
                if let found = parent.children.first(where: { $0.identity == name }) {
                    parent = found
                } else {
                    let element = Element(Self.head(name, "0x060400", bridge), identity: name)
                    parent.children.append(element)
                    parent = element
                }
            }
            let leaf = Element(Self.head(function.address.description, "0x\(function.classCode)", function))
            parent.children.append(leaf)
            if device.kind == .nic, !device.rdmaDevices.isEmpty {
                let nic = Element("<nic>")
                leaf.children.append(nic)
                for (index, rdma) in device.rdmaDevices.enumerated() {
                    let port = rdma.ports.first
                    let speed = port?.rate.map { " speed=\"\(Int($0 * 1000))\"" } ?? ""
                    nic.children.append(Element("<net name=\"\(rdma.name)\" dev=\"\(index)\"\(speed) port=\"\(port?.number ?? 1)\"/>"))
                }
            }
        }
        var lines = ["<system version=\"1\">"]
        for (_, processor) in processors.sorted(by: { $0.key < $1.key }) { Self.write(processor, "  ", &lines) }
        return (lines + ["</system>"]).joined(separator: "\n") + "\n"
    }

    private func node(of device: Device) -> Int? {
        device.numaNode ?? device.function.flatMap { topology.hint?.places[$0.address]?.numaNode }
    }

    /// The node that all members of a pair are on, as far as theirs are known; nil when they are on several.
    private func commonNode(_ pair: Pair) -> Int? {
        let nodes = Set(pair.members.compactMap(node))
        return nodes.count > 1 ? nil : nodes.first ?? 0
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

    private static func head(_ name: String, _ classCode: String, _ function: PCIFunction?) -> String {
        var text = "<pci busid=\"\(name)\" class=\"\(classCode)\""
        if let function {
            text += " vendor=\"0x\(function.vendor)\" device=\"0x\(function.device)\""
            if let ids = function.subsystem?.split(separator: ":"), ids.count == 2 {
                text += " subsystem_vendor=\"0x\(ids[0])\" subsystem_device=\"0x\(ids[1])\""
            }
            if let link = function.link { text += " link_speed=\"\(link.gigatransfers) GT/s PCIe\" link_width=\"\(link.lanes)\"" }
        }
        return text + ">"
    }

    private static func write(_ element: Element, _ indent: String, _ lines: inout [String]) {
        if element.children.isEmpty {
            lines.append(indent + (element.head.hasSuffix("/>") ? element.head : element.head.dropLast() + "/>"))
            return
        }
        lines.append(indent + element.head)
        for child in element.children { write(child, indent + "  ", &lines) }
        let name = element.head.dropFirst().prefix { $0 != " " && $0 != ">" }
        lines.append("\(indent)</\(name)>")
    }
}
