// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// Addresses that the host has to reach. The interfaces of the kernel's routes to them are in use by the host.
package struct HostDestinations: Hashable, Sendable {
    /// Addresses of the node in the cluster.
    package var nodeAddresses: [IPAddress]
    /// Addresses of the API server: of its URL, and of connections to it.
    package var apiServers: [IPAddress] = []
    /// The networks of the node's pods (`spec.podCIDRs` of the Node).
    package var podNetworks: [IPPrefix] = []

    package init(nodeAddresses: [IPAddress] = []) { self.nodeAddresses = nodeAddresses }

    /// All destinations, with the host's use of the interface to each; one address for each network.
    ///
    /// - Parameter addresses: the host's addresses. Neighbours of the node's addresses are destinations too.
    func all(_ addresses: [InterfaceAddress]) -> [(address: IPAddress, use: HostUse)] {
        let neighbours = addresses.filter { nodeAddresses.contains($0.prefix.address) }.compactMap { $0.peer ?? $0.prefix.neighbour }
        return apiServers.map { ($0, HostUse(.apiServer, $0.description)) }
            + neighbours.map { ($0, HostUse(.peer, $0.description)) }
            + podNetworks.compactMap { network in network.neighbour.map { ($0, HostUse(.podNetwork, network.description)) } }
    }
}

extension IPPrefix {
    /// Another address of the same network: the other end of a point-to-point link (RFC 3021, RFC 6164), or else the first or second
    /// address. Nil if the network has only one address.
    var neighbour: IPAddress? {
        guard length < address.bitCount else { return nil }
        var bytes = address.bytes
        if length == address.bitCount - 1 {
            bytes[bytes.count - 1] ^= 1
            return IPAddress(bytes: bytes)
        }
        for index in bytes.indices {
            let kept = min(8, max(0, length - index * 8))
            bytes[index] &= ~UInt8(truncatingIfNeeded: 0xff >> kept)
        }
        bytes[bytes.count - 1] += 1
        if bytes == address.bytes { bytes[bytes.count - 1] += 1 }
        return IPAddress(bytes: bytes)
    }
}
