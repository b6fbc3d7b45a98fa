// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import JournalModel
import NetworkModel
import SliceModel
import Topology

extension Machine {
    /// The machine including interfaces that are in pods or moving, with their settings on the host: for the cluster, a device does not
    /// change while a pod uses it.
    ///
    /// - Parameter known: the last machine that had them. Interfaces that it lacks come from the record of the attachment, which has
    ///   fewer facts.
    func including(_ attachments: [Attachment], known: Machine?) -> Machine {
        let gone = attachments.compactMap { attachment in attachment.host.map { (device: attachment.device, host: $0) } }
        guard !gone.isEmpty else { return self }
        var machine = self
        let names = Set(gone.map(\.host.name))
        let lastKnown = Dictionary(
            known?.allNetdevs.filter { names.contains($0.name) }.map { ($0.name, $0) } ?? [], uniquingKeysWith: { first, _ in first })
        // An interface that is moving is partly configured; the record has its configuration on the host.
        machine.removeNetdevs(named: names)
        for attachment in gone {
            let record = Netdev(attachment.host)
            // Another device may have the name now.
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

extension Machine {
    /// Interfaces that NICs had in an earlier machine and lack now, by the device's name in slices. Excludes devices that are passed
    /// through.
    func lostInterfaces(since known: Machine?) -> [String: String] {
        guard let known else { return [:] }
        let before = Dictionary(known.devices.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first })
        var lost: [String: String] = [:]
        for device in devices where device.kind == .nic && device.netdevs.isEmpty {
            if device.isPassedThrough { continue }
            if let name = before[device.sliceName]?.netdevs.first?.name { lost[device.sliceName] = name }
        }
        return lost
    }

    /// NICs without an interface that had one, or may have had one, by their names in slices.
    func missingInterfaces(since memory: MachineMemory) -> [String: MissingInterface] {
        var missing = lostInterfaces(since: memory.machine).mapValues { MissingInterface.lost($0) }
        guard memory.isDamaged else { return missing }
        for device in devices where device.kind == .nic && device.netdevs.isEmpty && !device.isPassedThrough {
            if missing[device.sliceName] == nil { missing[device.sliceName] = .unknown(file: memory.file) }
        }
        return missing
    }

    /// The machine including the interfaces that its functions and sub-functions had in an earlier machine and lack now.
    fileprivate func keepingInterfaces(of known: Machine) -> Machine {
        var machine = self
        var names = Set(allNetdevs.map(\.name))
        func kept(_ netdevs: [Netdev]) -> [Netdev] {
            netdevs.map { netdev in
                var netdev = netdev
                // Names in a machine are unique, and another interface may have this name now.
                while !names.insert(netdev.name).inserted { netdev.name += " (before)" }
                netdev.hostUse = nil
                return netdev
            }
        }
        for index in machine.functions.indices {
            guard let before = known[machine.functions[index].address] else { continue }
            if machine.functions[index].netdevs.isEmpty, !machine.functions[index].isPassedThrough {
                machine.functions[index].netdevs = kept(before.netdevs)
            }
            for part in machine.functions[index].subFunctions.indices where machine.functions[index].subFunctions[part].netdevs.isEmpty {
                let name = machine.functions[index].subFunctions[part].name
                machine.functions[index].subFunctions[part].netdevs = kept(before.subFunctions.first { $0.name == name }?.netdevs ?? [])
            }
        }
        return machine
    }
}

extension Device {
    fileprivate var isPassedThrough: Bool { subFunction == nil && function?.isPassedThrough == true }
}

extension PCIFunction {
    /// True if its driver passes the whole function to a program or a virtual machine.
    fileprivate var isPassedThrough: Bool { ["vfio-pci", "uio_pci_generic", "igb_uio", "pci-stub"].contains(driver) }
}

extension MachineTopology {
    /// The machine to save: published devices and their pairs, including missing ones. The interface of a device is kept until the device
    /// has another one.
    ///
    /// - Parameter held: names of devices that claims have; lost virtual devices of claims are kept too.
    func remembered(_ policy: PublishingPolicy, known: Machine?, held: Set<String>) -> Machine {
        let devices = devices.filter { policy.publishes($0, of: self) }
        var functions = Dictionary(members.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        for function in devices.compactMap(\.function) + (known?.missing(from: machine) ?? []) {
            functions[function.address] = function
        }
        for name in machine.lostInterfaces(since: known).keys {
            if let function = machine.devices.first(where: { $0.sliceName == name })?.function { functions[function.address] = function }
        }
        let names = Set(devices.filter { $0.function == nil }.map(\.address))
        let present = Set(machine.virtualNetdevs.map(\.name))
        let gone = (known?.devices ?? []).filter { $0.function == nil && !present.contains($0.address) && held.contains($0.sliceName) }
        let virtual = machine.virtualNetdevs.filter { names.contains($0.name) } + gone.flatMap(\.netdevs)
        let remembered = Machine(
            name: machine.name, numaNodes: machine.numaNodes, functions: functions.values.sorted { $0.address < $1.address },
            virtualNetdevs: virtual.sorted { $0.name < $1.name })
        return known.map(remembered.keepingInterfaces) ?? remembered
    }
}

extension Netdev {
    init(_ record: HostRecord) {
        self.init(
            name: record.name, index: Int(record.index), mac: record.hardwareAddress, mtu: Int(record.mtu),
            state: record.state, kind: record.kind,
            addresses: record.addresses.filter { !$0.prefix.address.isLinkLocal }.map(\.prefix))
        permanentMAC = record.permanentAddress
        parentDevice = record.parentDevice
    }
}
