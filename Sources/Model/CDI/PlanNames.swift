// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Primitives

/// Names in CDI specifications of this driver. `nearside-node` reports the same names to the kubelet.
package enum DeviceNames {
    /// Returns the CDI kind of all devices of a driver: `dra.nearside/claim`.
    package static func kind(driver: String) -> String { "\(driver)/claim" }

    /// Returns the name of a device within the kind. A claim can have two shares of one device, so that the share is part of the name.
    package static func name(_ plan: DevicePlan, claim uid: String) -> String {
        "\(uid)-\(plan.device)" + (plan.shareID.map { "-\($0.prefix(8))" } ?? "")
    }
}

/// Syntax checks of the texts that a plan may put into a specification.
package enum PlanText {
    /// Returns true for a DNS label (RFC 1123), the form of names of devices and requests.
    package static func isLabel(_ text: some StringProtocol) -> Bool {
        (1...63).contains(text.utf8.count) && text.utf8.allSatisfy { $0.isASCIILowercaseAlphanumeric || $0 == 0x2d } && text.first != "-"
            && text.last != "-"
    }

    /// Returns true for DNS labels joined by dots, the form of names of claims.
    package static func isSubdomain(_ text: String) -> Bool {
        text.utf8.count <= 253 && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isLabel)
    }

    /// Returns true for a UID of an API server: letters, digits and dashes, which are safe in names of files and devices.
    package static func isUID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { $0.isASCIIAlphanumeric || $0 == 0x2d }
    }

    /// Returns true for a value of an environment variable: printable ASCII without spaces, at most 16 KiB.
    package static func isValue(_ text: String) -> Bool {
        text.utf8.count <= 16384 && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
