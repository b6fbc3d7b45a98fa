// SPDX-License-Identifier: Apache-2.0

/// A reason why a claim cannot be planned.
package struct PlanProblem: Hashable, Sendable, CustomStringConvertible {
    /// The kind of the problem.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// A configuration cannot be read, conflicts with itself or sets what it may not.
        case config
        /// A configuration of interfaces is for devices without interfaces.
        case unusedConfig
        case tooManyEntries
        case otherPool, deviceMissing, interfaceMissing
        /// Another claim holds the device, a device with the same node, its virtual or its physical function.
        case deviceHeld, nodeHeld, virtualFunctionHeld, physicalFunctionHeld
        case nameTaken, nameUnusable, vrfConflict
        /// One address cannot serve several interfaces.
        case addressShared
        /// A shared device gives each claim an interface that is stacked on it.
        case childMissing
        case dhcpOnIPVLAN
        case mtu, hardwareAddress, routeSource, routeGateway
        case feature, privateFlag
        case notVirtualFunction
    }

    package var code: Code
    /// `request nic`, `device pci-0000-0c-00-0` or `configuration 0 (FromClaim)`.
    package var object: String
    /// Path of a configuration: `interface.mtu`; nil when the problem is not one of a field.
    package var path: String?
    package var cause: String

    init(_ code: Code, _ object: String, at path: String? = nil, _ cause: String) {
        self.code = code
        self.object = object
        self.path = path
        self.cause = cause
    }

    package var description: String {
        if let path { return "\(object): \(path): \(cause)" }
        return Self.predicates.contains(code) ? "\(object) \(cause)" : "\(object): \(cause)"
    }

    /// The codes whose cause is a predicate of the object.
    private static let predicates: Set<Code> = [
        .tooManyEntries, .deviceMissing, .interfaceMissing, .deviceHeld, .nodeHeld, .virtualFunctionHeld, .physicalFunctionHeld,
    ]
}
