// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Primitives

extension Machine {
    /// Returns the machine without identifying values: hardware and network addresses, GUIDs, UUIDs, aliases. Equal values stay equal and
    /// different ones different, so that all results that are computed from the machine stay the same.
    package func masked() -> Machine {
        var mask = Mask()
        var machine = self
        for index in machine.functions.indices { mask.apply(to: &machine.functions[index]) }
        for index in machine.virtualNetdevs.indices { mask.apply(to: &machine.virtualNetdevs[index]) }
        for index in machine.virtualRDMADevices.indices { mask.apply(to: &machine.virtualRDMADevices[index]) }
        return machine
    }
}

/// Stand-ins for identifiers, numbered in the order of their first use.
private struct Mask {
    private var numbers: [String: Int] = [:]

    private mutating func number(_ value: String) -> Int {
        if let known = numbers[value] { return known }
        numbers[value] = numbers.count + 1
        return numbers.count
    }

    /// Returns a value of the same format: zeros as digits, and the number of the stand-in at the end.
    private mutating func digits(_ value: String, keeping start: String) -> String {
        let separators = value.enumerated().filter { !$0.element.isHexDigit }
        var text = Hex.text(UInt(number(value)), width: value.count - separators.count)
        if text.hasPrefix(String(repeating: "0", count: start.count)) { text = start + text.dropFirst(start.count) }
        for (offset, separator) in separators { text.insert(separator, at: text.index(text.startIndex, offsetBy: offset)) }
        return text
    }

    /// Masks names that contain hardware addresses or GUIDs: `enx0c42a1b2c3d4`.
    private mutating func name(_ value: String) -> String {
        var result = ""
        var run = ""
        func isLong(_ run: String) -> Bool { run.count >= 12 }
        for character in value + "\u{0}" {
            if character.isHexDigit {
                run.append(character)
                continue
            }
            result += isLong(run) ? digits(run, keeping: "") : run
            run = ""
            if character != "\u{0}" { result.append(character) }
        }
        return result
    }

    mutating func apply(to function: inout PCIFunction) {
        // Hypervisors use GUIDs as names of buses and devices.
        function.path = function.path.map { part in
            part.split(separator: "-").map(\.count) == [8, 4, 4, 4, 12] ? digits(part, keeping: "") : part
        }
        for index in function.netdevs.indices { apply(to: &function.netdevs[index]) }
        for index in function.rdmaDevices.indices { apply(to: &function.rdmaDevices[index]) }
        for part in function.subFunctions.indices {
            for index in function.subFunctions[part].netdevs.indices { apply(to: &function.subFunctions[part].netdevs[index]) }
            for index in function.subFunctions[part].rdmaDevices.indices {
                apply(to: &function.subFunctions[part].rdmaDevices[index])
            }
        }
        if let uuid = function.accelerator?.uuid { function.accelerator?.uuid = "masked-\(number(uuid))" }
        if let hive = function.accelerator?.hive { function.accelerator?.hive = String(number(hive)) }
    }

    /// Locally administered (IEEE 802, second bit of the first byte).
    private mutating func masked(_ address: HardwareAddress) -> HardwareAddress? {
        HardwareAddress(parsing: digits(address.description, keeping: "02"), sizes: Netdev.addressSizes)
    }

    mutating func apply(to netdev: inout Netdev) {
        netdev.name = name(netdev.name)
        netdev.lower = netdev.lower.map { name($0) }
        netdev.mac = netdev.mac.flatMap { masked($0) }
        netdev.permanentMAC = netdev.permanentMAC.flatMap { masked($0) }
        netdev.switchID = netdev.switchID.map { digits($0, keeping: "") }
        netdev.alias = nil
        netdev.alternativeNames = []
        netdev.addresses = []
        // It contains routes and addresses of the site, and names of interfaces that are not part of the machine.
        netdev.hostUse?.object = nil
        if let other = netdev.hostUse?.stackedWith { netdev.hostUse?.stackedWith = name(other) }
    }

    mutating func apply(to device: inout RDMADevice) {
        device.name = name(device.name)
        device.nodeGUID = device.nodeGUID.map { digits($0, keeping: "02") }
        device.systemImageGUID = device.systemImageGUID.map { digits($0, keeping: "02") }
        for index in device.ports.indices {
            device.ports[index].netdev = device.ports[index].netdev.map { name($0) }
            device.ports[index].gids = device.ports[index].gids.map {
                GID(index: $0.index, value: digits($0.value, keeping: "fe80"), type: $0.type)
            }
        }
    }
}
