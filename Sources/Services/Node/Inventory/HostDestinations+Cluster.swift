// SPDX-License-Identifier: Apache-2.0

import Discovery
import FoundationEssentials
import Kubernetes
import Linux
import NetworkModel
import ResourceAPI

extension HostDestinations {
    /// Adds the addresses of the API server: of the endpoint, and of this process's connections to it.
    mutating func note(_ endpoint: APIEndpoint) {
        guard let components = URLComponents(string: endpoint.url) else { return }
        var found: [IPAddress] = []
        for text in [endpoint.address, components.host].compactMap({ $0 }) {
            let bare = text.hasPrefix("[") ? String(text.dropFirst().dropLast()) : text
            if let address = IPAddress(parsing: bare) { found.append(address) }
        }
        let port = components.port ?? (components.scheme == "http" ? 80 : 443)
        if let port = UInt16(exactly: port) {
            found += PeerAddresses.connected(toPort: port).compactMap { IPAddress(bytes: $0) }
        }
        // Addresses are kept after their connection ends, because a later connection may use them.
        for address in found where !apiServers.contains(address) { apiServers.append(address) }
        apiServers = Array(apiServers.suffix(Self.mostServers))
    }

    private static let mostServers = 16

    /// Reads the networks of the node's pods from the Node.
    mutating func note(_ node: NodeObject) {
        podNetworks = (node.spec?.podCIDRs ?? []).prefix(Self.mostNetworks).compactMap { IPPrefix(parsing: $0) }
    }

    private static let mostNetworks = 8
}
