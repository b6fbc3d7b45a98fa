// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import Hardware
import NetworkModel

/// Checks a configuration against its interface. The kernel would report the same errors only when the pod starts, where users see fewer
/// details.
extension InterfacePlanner {
    mutating func check(_ netdev: Netdev) {
        checkMTU(netdev)
        let interface = config.interface
        if let address = interface.hardwareAddress, let own = netdev.mac, address.bytes.count != own.bytes.count {
            refuse(
                .hardwareAddress, "interface.hardwareAddr",
                "has \(address.bytes.count) bytes; an address of \(netdev.name) has \(own.bytes.count)")
        }
        checkRoutes(netdev)
    }

    private mutating func checkMTU(_ netdev: Netdev) {
        guard let mtu = config.interface.mtu else { return }
        let upper = config.interface.child == nil ? netdev.maximalMTU : netdev.mtu ?? netdev.maximalMTU
        if mtu < netdev.minimalMTU ?? 0 || mtu > upper ?? Int(UInt32.max) {
            refuse(
                .mtu, "interface.mtu",
                "\(mtu) is outside of the range of \(netdev.name), \(netdev.minimalMTU ?? 0) to \(upper.map(String.init) ?? "any")")
        } else if let parent = input.physicalFunction(of: member.device), let most = parent.mtu, mtu > most {
            refuse(.mtu, "interface.mtu", "\(mtu) is more than the MTU of the physical function, \(parent.name): \(most)")
        }
    }

    /// Checks that each gateway is in the network of an address, or of a route on the link.
    private mutating func checkRoutes(_ netdev: Netdev) {
        let interface = config.interface
        let routes = config.routes ?? []
        let asksServer = interface.dhcp == true || interface.dhcp6 == true
        let hosts = interface.child == nil && !asksServer ? netdev.addresses : []
        let addresses = interface.addresses ?? hosts
        let reachable = addresses + routes.filter { $0.gateway == nil }.map(\.destination)
        for (index, route) in routes.enumerated() {
            let isBehindLease = interface.dhcp == true || (interface.dhcp6 == true && route.destination.address.isV6)
            if let source = route.source, !isBehindLease, !addresses.contains(where: { $0.address == source }) {
                refuse(.routeSource, "routes[\(index)].source", "\(source) is not an address of the interface")
            }
            guard let gateway = route.gateway, !(gateway.isV6 && gateway.isLinkLocal), route.isOnLink != true, !isBehindLease else {
                continue
            }
            if !reachable.contains(where: { $0.contains(gateway) }) {
                refuse(
                    .routeGateway, "routes[\(index)].gateway",
                    "no address of the interface and no route on the link reaches \(gateway)")
            }
        }
    }
}
