// SPDX-License-Identifier: Apache-2.0

import Hardware
import Topology

/// The tree that all pictures of a machine share: NUMA nodes, host bridges, switches, devices.
struct TopologyTree {
    /// A node of the tree with its children.
    struct Branch {
        enum Kind: Hashable {
            case numaNode(Int?)
            /// A host bridge or bridge by its name in sysfs; several if each has the next one as its only child.
            case bridges([String])
            case device(Device)
            /// Interfaces without a PCI function.
            case virtual
        }

        var kind: Kind
        var children: [Branch] = []

        var devices: [Device] {
            if case .device(let device) = kind { return [device] }
            return children.flatMap(\.devices)
        }
    }

    let topology: MachineTopology
    let branches: [Branch]

    init(_ topology: MachineTopology) {
        self.topology = topology
        var nodes: [Branch] = []
        for device in topology.devices {
            guard let function = device.function else {
                Self.insert(device, at: [.virtual], into: &nodes)
                continue
            }
            let node = function.numaNode ?? topology.hint?.places[function.address]?.numaNode
            let way = function.path.filter { $0.hasPrefix("pci") || PCIAddress(parsing: $0) != nil }
            Self.insert(device, at: [.numaNode(node)] + way.map { .bridges([$0]) }, into: &nodes)
        }
        branches = nodes.sorted { Self.order($0.kind) < Self.order($1.kind) }.map { node in
            Branch(kind: node.kind, children: node.children.map(Self.fold))
        }
    }

    private static func order(_ kind: Branch.Kind) -> Int {
        switch kind {
        case .numaNode(let node): node ?? Int.max - 1
        default: .max
        }
    }

    private static func insert(_ device: Device, at way: [Branch.Kind], into branches: inout [Branch]) {
        guard let next = way.first else {
            branches.append(Branch(kind: .device(device)))
            return
        }
        let index = branches.firstIndex { $0.kind == next } ?? branches.endIndex
        if index == branches.endIndex { branches.append(Branch(kind: next)) }
        insert(device, at: Array(way.dropFirst()), into: &branches[index].children)
    }

    /// Merges bridges with a single child, and removes the port of a single device.
    private static func fold(_ branch: Branch) -> Branch {
        guard case .bridges(var names) = branch.kind else { return branch }
        var children = branch.children
        while children.count == 1, case .bridges(let inner) = children[0].kind {
            names += inner
            children = children[0].children
        }
        if children.count == 1, case .device = children[0].kind, !(names.first?.hasPrefix("pci") ?? false) { return children[0] }
        return Branch(kind: .bridges(names), children: children.map(fold))
    }
}

extension Device {
    /// Kind for display: `GPU`, `Trainium`, `EFA`, `NIC`.
    var word: String {
        switch family {
        case .nvidia, .amd, .intel: "GPU"
        case .neuron: function.map(Catalog.isTrainium) == true ? "Trainium" : "Inferentia"
        case .gaudi: "Gaudi"
        case .tpu: "TPU"
        case nil: function.map(Catalog.isEFA) == true ? "EFA" : function.map(Catalog.isSlingshot) == true ? "Slingshot" : "NIC"
        }
    }

    /// The current PCIe link, if it is real (``Catalog/hasRealLink(_:)``).
    var realLink: PCILink? { function.flatMap { Catalog.hasRealLink($0) ? $0.link : nil } }
}

extension Diagnosis {
    /// Returns the marks of a device in a picture, one or two words each; empty for a device without findings.
    func marks(on device: Device) -> [String] {
        var marks: [String] = []
        for finding in self[device.address] where !finding.isHarmless {
            let mark =
                switch finding {
                case .linkDown: "no link"
                case .noDriver: "no driver"
                case .narrowLink(let link, _), .slowLink(let link, _), .idleLink(let link, _): "PCIe only \(link.text)"
                case .slowPort(let rate, _): "only \(Int(rate)) Gb/s"
                case .redirected: "ACS redirects"
                case .distantNIC: "NIC across sockets"
                }
            if !marks.contains(mark) { marks.append(mark) }
        }
        return marks
    }
}

extension PCILink {
    /// The link for display: `32 GT/s x16`.
    var text: String {
        let rate = gigatransfers == gigatransfers.rounded() ? String(Int(gigatransfers)) : String(gigatransfers)
        return "\(rate) GT/s x\(lanes)"
    }
}
