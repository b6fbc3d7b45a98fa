// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Topology

/// The document of `nearside topology -o json`: devices and pairs of one machine.
package struct TopologyDocument: Hashable, Sendable, Codable {
    package var machine: String?
    package var numaNodes: [NUMANode]
    package var devices: [DevicesDocument.Entry]
    package var pairs: [PairsDocument.Entry]
    package var sets: [PairsDocument.Set]
    package var unpaired: PairsDocument.Unpaired
    package var remarks: [String]

    package init(_ topology: MachineTopology) {
        let pairs = PairsDocument(topology)
        machine = topology.machine.name
        numaNodes = topology.machine.numaNodes
        devices = DevicesDocument(topology).devices
        self.pairs = pairs.pairs
        sets = pairs.sets
        unpaired = pairs.unpaired
        remarks = pairs.remarks
    }
}
