// SPDX-License-Identifier: Apache-2.0

/// A use that the host itself makes of a network interface. An interface in use by the host is not given to pods.
package struct HostUse: Hashable, Sendable, Codable {
    /// The kind of a use.
    package enum Kind: String, Hashable, Sendable, Codable {
        /// A default route goes by the interface, in whatever form.
        case defaultRoute = "default-route"
        /// The interface has an address of the node, or a route that is sent from one.
        case nodeAddress = "node-address"
        /// The kernel reaches the API server by the interface.
        case apiServer = "api-server"
        /// The kernel reaches the neighbour of an address of the node by the interface.
        case peer
        /// The kernel reaches the addresses of the node's pods by the interface.
        case podNetwork = "pod-network"
        /// An interface of the host is stacked on the interface.
        case upperInterface = "upper-interface"
        /// The interface is a port of a bridge, bond, team or VRF.
        case port
        /// Another route through a gateway goes by the interface.
        case gatewayRoute = "gateway-route"
    }

    package var kind: Kind
    /// The address, prefix, route or interface that the kind is about; nil when it is not known.
    package var object: String?
    /// The interface that has the use, when it is another one of the same stack.
    package var stackedWith: String?

    package init(_ kind: Kind, _ object: String? = nil, stackedWith: String? = nil) {
        self.kind = kind
        self.object = object
        self.stackedWith = stackedWith
    }

    /// True for a use that keeps back only an interface without RDMA that no policy names: an operator can know that the route is
    /// one of the fabric. Without any other use the host stays reachable when the interface is away.
    package var yieldsToPolicy: Bool { kind == .gatewayRoute }
}

extension HostUse: CustomStringConvertible {
    /// The reason as a sentence.
    package var description: String {
        let subject = stackedWith ?? "it"
        let about = object.map { " \($0)" } ?? ""
        let sentence =
            switch kind {
            case .defaultRoute: "the host's default route goes by \(subject)"
            case .nodeAddress: "\(subject) serves the node's address\(about)"
            case .apiServer: "the host reaches the API server\(about) by \(subject)"
            case .peer: "the host reaches\(about), a neighbour of the node's address, by \(subject)"
            case .podNetwork: "the host reaches the node's pods\(about) by \(subject)"
            case .upperInterface: "interface\(about) of the host is stacked on \(subject)"
            case .port: "\(subject) is a port of interface\(about)"
            case .gatewayRoute: "the host's route\(about) goes by \(subject)"
            }
        return stackedWith == nil ? sentence : sentence + ", which it is stacked with"
    }
}
