// SPDX-License-Identifier: Apache-2.0

/// A use of a network interface by the host. An interface in use by the host is not given to pods.
package struct HostUse: Hashable, Sendable, Codable {
    /// The kind of a use.
    package enum Kind: String, Hashable, Sendable, Codable {
        /// A default route uses the interface.
        case defaultRoute = "default-route"
        /// The interface has an address of the node, or a route with such a source address.
        case nodeAddress = "node-address"
        /// The kernel reaches the API server over the interface.
        case apiServer = "api-server"
        /// The kernel reaches the neighbour of an address of the node over the interface.
        case peer
        /// The kernel reaches addresses of the node's pods over the interface.
        case podNetwork = "pod-network"
        /// An interface of the host is stacked on the interface.
        case upperInterface = "upper-interface"
        /// The interface is a port of a bridge, bond, team or VRF.
        case port
        /// Another route through a gateway uses the interface.
        case gatewayRoute = "gateway-route"
    }

    package var kind: Kind
    /// The address, prefix, route or interface of the use; nil if unknown.
    package var object: String?
    /// The interface with the use, if it is another one of the same stack.
    package var stackedWith: String?

    package init(_ kind: Kind, _ object: String? = nil, stackedWith: String? = nil) {
        self.kind = kind
        self.object = object
        self.stackedWith = stackedWith
    }

    /// True for a use that excludes the interface only if it has no RDMA and no policy names it: an operator can know that the route
    /// belongs to the fabric. Without any other use the host stays reachable while the interface is in a pod.
    package var yieldsToPolicy: Bool { kind == .gatewayRoute }
}

extension HostUse: CustomStringConvertible {
    /// The reason as a sentence.
    package var description: String {
        let subject = stackedWith ?? "this interface"
        let about = object.map { " \($0)" } ?? ""
        let sentence =
            switch kind {
            case .defaultRoute: "the host's default route uses \(subject)"
            case .nodeAddress: "\(subject) serves the node's address\(about)"
            case .apiServer: "the host reaches the API server\(about) over \(subject)"
            case .peer: "the host reaches\(about), a neighbour of the node's address, over \(subject)"
            case .podNetwork: "the host reaches the node's pods\(about) over \(subject)"
            case .upperInterface: "interface\(about) of the host is stacked on \(subject)"
            case .port: "\(subject) is a port of interface\(about)"
            case .gatewayRoute: "the host's route\(about) uses \(subject)"
            }
        return stackedWith == nil ? sentence : sentence + ", which is in the same stack"
    }
}
