// SPDX-License-Identifier: Apache-2.0

import Hardware
import Netlink
import NetworkModel

/// Reads network interfaces, over rtnetlink or from the files of a captured tree.
struct NetdevReader {
    let sysfs: Sysfs
    let destinations: HostDestinations

    /// All interfaces except the loopback, sorted by name, by the device that they belong to.
    func netdevs() throws(NetlinkError) -> [Owner?: [Netdev]] {
        sysfs.root.isLive ? try liveNetdevs() : capturedNetdevs()
    }

    // MARK: Live

    /// One dump for each kind of object.
    private func liveNetdevs() throws(NetlinkError) -> [Owner?: [Netdev]] {
        let socket = try NetlinkSocket()
        var routing = try socket.hostRouting()
        let (links, addresses) = (routing.links, routing.addresses)
        for destination in destinations.all(addresses) {
            let route = soft { () throws(NetlinkError) in try socket.route(to: destination.address) }
            if let route = route ?? nil { routing.paths.append(.init(destination.use, route)) }
        }
        let uses = routing.uses(nodeAddresses: destinations.nodeAddresses)
        let owners = owners(of: links)
        let speeds = owners.isEmpty ? nil : soft { () throws(NetlinkError) in try Ethtool()?.speeds() } ?? nil
        let drivers = owners.isEmpty ? nil : try? DriverSocket()
        let names = Dictionary(links.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        let addressesByLink = Dictionary(grouping: addresses, by: \.index)
        var netdevs: [Owner?: [Netdev]] = [:]
        for link in links.sorted(by: { $0.name < $1.name }) where !link.isLoopback {
            let owner = owners[link.index]
            var netdev = Netdev(link)
            netdev.lower = link.lower.flatMap { names[$0] }
            netdev.addresses = (addressesByLink[link.index] ?? []).map(\.prefix).filter { !$0.address.isLinkLocal }
            netdev.hostUse = uses[link.index]
            if owner != nil {
                netdev.speed = speeds?[link.index]
                netdev.firmware = drivers?.firmwareVersion(of: link.name)
            }
            netdevs[owner, default: []].append(netdev)
        }
        // A single interface belongs to the first port.
        for case let owner? in netdevs.keys where netdevs[owner, default: []].count > 1 {
            for index in netdevs[owner, default: []].indices {
                let name = netdevs[owner, default: []][index].name
                let port = sysfs.folder("sys/class/net/\(name)")?.integer("dev_port", in: 0...Int(UInt16.max))
                netdevs[owner]?[index].port = port == 0 ? nil : port
            }
        }
        return netdevs
    }

    /// Reads an optional part. A refusal becomes a warning.
    private func soft<Value>(_ body: () throws(NetlinkError) -> Value) -> Value? {
        do throws(NetlinkError) { return try body() } catch {
            sysfs.warn("\(error)")
            return nil
        }
    }

    /// The devices that interfaces belong to, by index. The kernel reports them with the interface (since 5.14); otherwise, and for
    /// devices on other buses, sysfs does.
    private func owners(of links: [Link]) -> [Int32: Owner] {
        guard let folder = sysfs.folder("sys/class/net") else { return [:] }
        var owners: [Int32: Owner] = [:]
        let isTold = links.contains { $0.parentDevice != nil }
        for link in links where !link.isLoopback {
            if link.parentBus == "pci", let function = link.parentDevice.flatMap({ PCIAddress(parsing: $0) }) {
                owners[link.index] = Owner(function: function)
            } else if link.parentDevice != nil || !isTold {
                owners[link.index] = sysfs.owner(of: link.name, in: folder)
            }
        }
        return owners
    }

    // MARK: Captured

    private func capturedNetdevs() -> [Owner?: [Netdev]] {
        let entries = sysfs.devices(ofClass: "net").filter { $0.name != "lo" && $0.name != "bonding_masters" }
        let uplinks = capturedUplinks()
        var indices: [String: Int] = [:]
        var lower: [String: Int] = [:]
        var netdevs: [Owner?: [Netdev]] = [:]
        for entry in entries {
            var netdev = Netdev(name: entry.name)
            if uplinks.contains(entry.name) { netdev.hostUse = HostUse(.defaultRoute) }
            guard let folder = sysfs.folder(entry.folder) else {
                // A capture can lack the target of the class's link; then only the name is known.
                netdevs[entry.owner, default: []].append(netdev)
                continue
            }
            netdev.index = folder.integer("ifindex", in: 0...Int(Int32.max)) ?? 0
            netdev.mac = folder.parse("address") { $0.firstLine.flatMap { HardwareAddress(parsing: $0) } }
            netdev.mtu = folder.integer("mtu", in: 0...Int(Int32.max))
            netdev.state = folder.text("operstate")
            netdev.hasCarrier = folder.integer("carrier", in: 0...1).map { $0 == 1 }
            netdev.isEnabled = folder.parse("flags") { $0.firstLine.flatMap { UInt32($0.dropFirst(2), radix: 16) } }.map { $0 & 1 == 1 }
            netdev.encapsulation = folder.integer("type", in: 0...Int(UInt16.max)).flatMap { Netdev.encapsulations[$0] }
            // Drivers report an unknown speed as -1 or 4294967295.
            netdev.speed = folder.integer("speed", in: -1...Int(UInt32.max)).flatMap { (1..<100_000_000).contains($0) ? $0 : nil }
            netdev.port = folder.integer("dev_port", in: 0...Int(UInt16.max)).flatMap { $0 == 0 ? nil : $0 }
            netdev.portName = folder.text("phys_port_name")
            netdev.switchID = folder.text("phys_switch_id")
            netdev.alias = folder.text("ifalias")
            netdev.kind = folder.parse("uevent") { bytes in
                bytes.split(separator: UInt8(ascii: "\n")).lazy.compactMap { $0.dropping("DEVTYPE=") }.first
                    .map { String(decoding: $0, as: UTF8.self) } ?? ""
            }.flatMap { $0.isEmpty ? nil : $0 }
            if netdev.index != 0 {
                indices[netdev.name] = netdev.index
                if let link = folder.integer("iflink"), link != netdev.index { lower[netdev.name] = link }
            }
            netdevs[entry.owner, default: []].append(netdev)
        }
        let names = Dictionary(indices.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
        return netdevs.mapValues { netdevs in
            netdevs.map { netdev in
                var netdev = netdev
                netdev.lower = lower[netdev.name].flatMap { names[$0] }
                return netdev
            }
        }
    }

    /// Interfaces with a default route, by the lines of `/proc/net/route`: interface, destination, gateway,
    /// flags, ..., mask.
    private func capturedUplinks() -> Set<String> {
        var uplinks: Set<String> = []
        for line in sysfs.lines("proc/net/route").dropFirst() {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            if fields.count > 7, fields[1] == "00000000", fields[7] == "00000000" { uplinks.insert(String(fields[0])) }
        }
        return uplinks
    }
}

extension Netdev {
    init(_ link: Link) {
        self.init(
            name: link.name, index: Int(link.index), mac: link.address, mtu: Int(link.mtu), state: link.state,
            kind: link.kind)
        permanentMAC = link.permanentAddress
        minimalMTU = link.minimalMTU.map { Int($0) }
        maximalMTU = link.maximalMTU.map { Int($0) }
        hasCarrier = link.hasCarrier
        isEnabled = link.isUp
        encapsulation = Netdev.encapsulations[Int(link.type)]
        portName = link.portName
        switchID = link.switchID
        alias = link.alias
        alternativeNames = link.alternativeNames
        parentDevice = link.parentDevice
    }
}
