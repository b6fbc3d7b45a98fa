// SPDX-License-Identifier: Apache-2.0

import Addressing
import Hardware
import Journal
import Netlink
import Publishing
import Topology

extension Machine {
    /// The machine with the interfaces that are in pods, or on their way, as they were on the host: a
    /// device does not change for the cluster because a pod uses it.
    ///
    /// - Parameter known: the last machine that had them. What it does not know either, the record of the
    ///   attachment tells, which has less.
    func including(_ attachments: [Attachment], known: Machine?) -> Machine {
        let gone = attachments.compactMap { attachment in attachment.host.map { (device: attachment.device, host: $0) } }
        guard !gone.isEmpty else { return self }
        var machine = self
        let names = Set(gone.map(\.host.name))
        let lastKnown = Dictionary(
            known?.allNetdevs.filter { names.contains($0.name) }.map { ($0.name, $0) } ?? [], uniquingKeysWith: { first, _ in first })
        // One that is on its way is half-way set up; the record is the truth.
        machine.removeNetdevs(named: names)
        for attachment in gone {
            let record = Netdev(attachment.host)
            // The name can have gone to another device since.
            let netdev = lastKnown[record.name].flatMap { $0.mac == record.mac ? $0 : nil } ?? record
            machine.insert(netdev, intoDevice: attachment.device)
        }
        return machine
    }

    private mutating func removeNetdevs(named names: Set<String>) {
        for index in functions.indices {
            functions[index].netdevs.removeAll { names.contains($0.name) }
            for part in functions[index].subFunctions.indices {
                functions[index].subFunctions[part].netdevs.removeAll { names.contains($0.name) }
            }
        }
        virtualNetdevs.removeAll { names.contains($0.name) }
    }

    private mutating func insert(_ netdev: Netdev, intoDevice name: String) {
        for index in functions.indices {
            if functions[index].sliceName == name {
                functions[index].netdevs = (functions[index].netdevs + [netdev]).sorted { $0.name < $1.name }
                return
            }
            for part in functions[index].subFunctions.indices
            where functions[index].subFunctions[part].sliceName(in: functions[index]) == name {
                functions[index].subFunctions[part].netdevs.append(netdev)
                return
            }
        }
        virtualNetdevs = (virtualNetdevs + [netdev]).sorted { $0.name < $1.name }
    }
}

extension MachineTopology {
    /// The machine to remember: what is published, what pairs, and of that also what is missing now.
    func remembered(_ policy: PublishingPolicy, known: Machine?) -> Machine {
        let devices = devices.filter { policy.publishes($0, of: self) }
        var functions = Dictionary(members.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        for function in devices.compactMap(\.function) + (known?.missing(from: machine) ?? []) {
            functions[function.address] = function
        }
        let names = Set(devices.filter { $0.function == nil }.map(\.address))
        return Machine(
            name: machine.name, numaNodes: machine.numaNodes, functions: functions.values.sorted { $0.address < $1.address },
            virtualNetdevs: machine.virtualNetdevs.filter { names.contains($0.name) })
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
