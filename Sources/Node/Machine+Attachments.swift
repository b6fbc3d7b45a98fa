// SPDX-License-Identifier: Apache-2.0

import Addressing
import Hardware
import Journal
import Netlink
import Publishing

extension Machine {
    /// The machine with the interfaces that are in pods, as they were on the host: a device does not
    /// change for the cluster because a pod uses it.
    func including(_ attachments: [Attachment]) -> Machine {
        var machine = self
        let present = Set(functions.flatMap(\.netdevs).map(\.name) + virtualNetdevs.map(\.name))
        for attachment in attachments where !present.contains(attachment.host.name) {
            let netdev = Netdev(attachment.host)
            let owner = machine.functions.firstIndex {
                Device(address: $0.address.description, kind: .nic, function: $0, netdevs: []).sliceName
                    == attachment.device
            }
            if let owner {
                machine.functions[owner].netdevs.append(netdev)
            } else {
                machine.virtualNetdevs.append(netdev)
            }
        }
        return machine
    }
}

extension Netdev {
    init(_ record: HostRecord) {
        self.init(
            name: record.name, index: Int(record.index), mac: record.hardwareAddress?.description, mtu: Int(record.mtu),
            state: record.state, kind: record.kind,
            addresses: record.addresses.filter { !$0.prefix.address.isLinkLocal }.map(\.prefix.description))
    }
}
