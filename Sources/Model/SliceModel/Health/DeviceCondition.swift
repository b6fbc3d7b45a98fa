// SPDX-License-Identifier: Apache-2.0

package import Primitives
package import ResourceAPI

/// A condition of a device that affects its use.
package enum DeviceCondition: String, Hashable, Sendable, CaseIterable, Comparable {
    /// No port of an enabled NIC has a link.
    case linkDown = "link-down"
    /// No kernel driver is bound to the device.
    case noDriver = "no-driver"
    /// The device has lost its interface.
    case noInterface = "no-interface"
    /// A claim has the device, which is no longer on the bus.
    case lost
    /// The PCIe link has fewer lanes than both ends support.
    case narrowLink = "narrow-link"
    /// The device could not be restored after a pod.
    case notRestored = "not-restored"
    /// A claim has a virtual function of this physical function.
    case functionsInUse = "functions-in-use"

    package static func < (left: DeviceCondition, right: DeviceCondition) -> Bool { left.rawValue < right.rawValue }

    /// The reason of the event when the condition begins; ``ended`` is the reason when it ends.
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

/// The taint effects of device conditions.
package struct TaintPolicy: Hashable, Sendable {
    /// Effect of each condition. Events and the health stream report conditions without an entry too.
    package var effects: [DeviceCondition: DeviceTaint.Effect]

    /// The default policy keeps new claims from devices with any condition except a narrow link; running pods keep their devices.
    package init(
        effects: [DeviceCondition: DeviceTaint.Effect] = [
            .linkDown: .noSchedule, .noDriver: .noSchedule, .noInterface: .noSchedule, .lost: .noSchedule, .notRestored: .noSchedule,
            .functionsInUse: .noSchedule,
        ]
    ) {
        self.effects = effects
    }

    /// Parses changes to the default policy: `link-down=NoExecute,no-driver=off`.
    package init(parsing text: String) throws(InputError) {
        self.init()
        for part in text.split(separator: ",") {
            let words = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard words.count == 2, let condition = DeviceCondition(rawValue: words[0]) else {
                let known = DeviceCondition.allCases.map(\.rawValue).joined(separator: ", ")
                throw InputError(
                    words.count == 2 ? .unknown : .malformed, "\"\(part)\"", "not CONDITION=EFFECT",
                    advice: "conditions are \(known)")
            }
            if words[1] == "off" {
                effects[condition] = nil
            } else if let effect = DeviceTaint.Effect(rawValue: words[1]) {
                effects[condition] = effect
            } else {
                let known = DeviceTaint.Effect.allCases.map(\.rawValue).joined(separator: ", ")
                throw InputError(.unknown, "\"\(words[1])\"", "not an effect", advice: "effects are \(known) and off")
            }
        }
    }
}
