// SPDX-License-Identifier: Apache-2.0

package import Addressing
import ResourceAPI

/// What a user asks of the network devices of a request: the opaque parameters of a claim or class.
///
/// Shape: `api/networkconfig.schema.json`. Nil means "not said", so that a claim's configuration can be
/// laid over that of its class, field by field.
package struct NetworkConfig: Hashable, Sendable {
    /// The interface's name in the pod.
    package var name: String?
    package var addresses: [IPPrefix]?
    package var mtu: Int?
    package var hardwareAddress: HardwareAddress?
    package var routes: [RouteConfig]?

    package init() {}

    /// This configuration, with what the other says laid over it.
    package func overlaid(by other: NetworkConfig) -> NetworkConfig {
        var result = self
        result.name = other.name ?? name
        result.addresses = other.addresses ?? addresses
        result.mtu = other.mtu ?? mtu
        result.hardwareAddress = other.hardwareAddress ?? hardwareAddress
        result.routes = other.routes ?? routes
        return result
    }
}

/// A route in the pod.
package struct RouteConfig: Hashable, Sendable {
    package var destination: IPPrefix
    /// Nil for a destination on the link itself.
    package var gateway: IPAddress?
    package var source: IPAddress?

    package init(destination: IPPrefix, gateway: IPAddress? = nil, source: IPAddress? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }
}

/// One thing that is wrong with a configuration: where, and what would be right.
package struct ConfigProblem: Hashable, Sendable, CustomStringConvertible {
    /// JSON path: `interface.addresses[1]`.
    package var path: String
    package var text: String

    package init(_ path: String, _ text: String) {
        self.path = path
        self.text = text
    }

    package var description: String { "\(path): \(text)" }
}

/// All that is wrong with a configuration, at once.
package struct InvalidConfig: Error, Hashable, Sendable, CustomStringConvertible {
    package var problems: [ConfigProblem]

    package var description: String { problems.map(\.description).joined(separator: "; ") }
}
