// SPDX-License-Identifier: Apache-2.0

/// A reason why a claim cannot be planned.
package struct PlanProblem: Hashable, Sendable, CustomStringConvertible {
    /// The kind of the problem.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// A configuration is invalid, contradicts itself, or has settings that its author may not set.
        case config
        /// A configuration of interfaces applies only to devices without interfaces.
        case unusedConfig
        case tooManyEntries
        case otherPool, deviceMissing, interfaceMissing
        /// Another claim has the device, a device with the same node, or its virtual or physical function.
        case deviceHeld, nodeHeld, virtualFunctionHeld, physicalFunctionHeld
        case nameTaken, nameUnusable, vrfConflict
        /// One address cannot serve several interfaces.
        case addressShared
        /// A shared device needs an interface for each claim that is stacked on it.
        case childMissing
        case dhcpOnIPVLAN
        case mtu, hardwareAddress, routeSource, routeGateway
        case feature, privateFlag
        case notVirtualFunction
    }

    package var code: Code
    /// `request nic`, `device pci-0000-0c-00-0` or `configuration 0 (FromClaim)`.
    package var object: String
    /// Path of a configuration: `interface.mtu`; nil if the problem belongs to no field.
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
