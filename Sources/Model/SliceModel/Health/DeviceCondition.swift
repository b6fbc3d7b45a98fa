// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// What can be wrong with a device.
package enum DeviceCondition: String, Hashable, Sendable, CaseIterable, Comparable {
    /// No port has a link, though somebody switched it on.
    case linkDown = "link-down"
    /// No kernel driver is bound to it.
    case noDriver = "no-driver"
    /// It had an interface, and has none any more.
    case noInterface = "no-interface"
    /// A claim has it, and it is not on the bus any more.
    case lost
    /// Its PCIe link has fewer lanes than both ends can have.
    case narrowLink = "narrow-link"
    /// It did not come back from a pod as it was.
    case notRestored = "not-restored"
    /// A physical function of which a claim has a virtual one.
    case functionsInUse = "functions-in-use"

    package static func < (left: DeviceCondition, right: DeviceCondition) -> Bool { left.rawValue < right.rawValue }

    /// What an event says in a word: that it began, and that it is over.
    package var began: String {
        switch self {
        case .linkDown: "LinkDown"
        case .noDriver: "DriverMissing"
        case .noInterface: "InterfaceLost"
        case .lost: "DeviceLost"
        case .narrowLink: "LinkNarrow"
        case .notRestored: "DeviceNotRestored"
        case .functionsInUse: "VirtualFunctionsInUse"
        }
    }

    package var ended: String {
        switch self {
        case .linkDown: "LinkUp"
        case .noDriver: "DriverBound"
        case .noInterface: "InterfaceBack"
        case .lost: "DeviceBack"
        case .narrowLink: "LinkWide"
        case .notRestored: "DeviceRestored"
        case .functionsInUse: "VirtualFunctionsFree"
        }
    }
}

/// What becomes of claims when a device is in trouble.
package struct TaintPolicy: Hashable, Sendable {
    /// Without an entry a trouble is told of by event and health stream, and taints nothing.
    package var effects: [DeviceCondition: DeviceTaint.Effect]

    /// New claims do not get a device without a link, driver, interface or presence, or that is not as it was; pods that have it keep it.
    package init(
        effects: [DeviceCondition: DeviceTaint.Effect] = [
            .linkDown: .noSchedule, .noDriver: .noSchedule, .noInterface: .noSchedule, .lost: .noSchedule, .notRestored: .noSchedule,
            .functionsInUse: .noSchedule,
        ]
    ) {
        self.effects = effects
    }

    /// A policy that cannot be read: what, and what would be right.
    package struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String

        package init(description: String) { self.description = description }
    }

    /// Changes to the usual policy: `link-down=NoExecute,no-driver=off`.
    package init(parsing text: String) throws(Malformed) {
        self.init()
        for part in text.split(separator: ",") {
            let words = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard words.count == 2, let trouble = DeviceCondition(rawValue: words[0]) else {
                let known = DeviceCondition.allCases.map(\.rawValue).joined(separator: ", ")
                throw Malformed(description: "\"\(part)\" is not TROUBLE=EFFECT; troubles are \(known)")
            }
            if words[1] == "off" {
                effects[trouble] = nil
            } else if let effect = DeviceTaint.Effect(rawValue: words[1]) {
                effects[trouble] = effect
            } else {
                let known = DeviceTaint.Effect.allCases.map(\.rawValue).joined(separator: ", ")
                throw Malformed(description: "\"\(words[1])\" is no effect; effects are \(known) and off")
            }
        }
    }
}
