// SPDX-License-Identifier: Apache-2.0

import Addressing
import Hardware
import Journal
import Netlink

import Publishing

extension Machine {
    /// The machine with the interfaces that are in pods, or on their way, as they were on the host: a
    /// device does not change for the cluster because a pod uses it.
    func including(_ attachments: [Attachment]) -> Machine {
        guard !attachments.isEmpty else { return self }
        var machine = self
        let names = Set(attachments.map(\.host.name))
        for index in functions.indices {
            // One that is on its way is half-way set up; the record is the truth.
            machine.functions[index].netdevs.removeAll { names.contains($0.name) }
        }
        machine.virtualNetdevs.removeAll { names.contains($0.name) }
        for attachment in attachments {
            let netdev = Netdev(attachment.host)
            if let owner = functions.firstIndex(where: { $0.sliceName == attachment.device }) {
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
