// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// `nearside topology -o json`: devices and pairs of one machine together.
package struct TopologyDocument: Hashable, Sendable, Codable {
    package var machine: String?
    package var numaNodes: [NUMANode]
    package var devices: [DevicesDocument.Entry]
    package var pairs: [PairsDocument.Entry]
    package var unpaired: PairsDocument.Unpaired

    package init(_ machine: Machine) {
        let pairs = PairsDocument(machine)
        self.machine = machine.name
        numaNodes = machine.numaNodes
        devices = DevicesDocument(machine).devices
        self.pairs = pairs.pairs
        unpaired = pairs.unpaired
    }
}
