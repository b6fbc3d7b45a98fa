// SPDX-License-Identifier: Apache-2.0

package import JournalModel

/// Names in CDI specifications of this driver. The kubelet is told the same names by `nearside-node`.
package enum DeviceNames {
    /// The kind of all devices of a driver: `dra.nearside/claim`.
    package static func kind(driver: String) -> String { "\(driver)/claim" }

    /// The name of a device within the kind. Two shares of one device can be in one claim.
    package static func name(_ plan: DevicePlan, claim uid: String) -> String {
        "\(uid)-\(plan.device)" + (plan.shareID.map { "-\($0.prefix(8))" } ?? "")
    }
}

/// Forms of the texts that a plan may put into a specification.
package enum PlanText {
    /// A label of DNS (RFC 1123): names of devices and requests.
    package static func isLabel(_ text: some StringProtocol) -> Bool {
        (1...63).contains(text.utf8.count) && text.utf8.allSatisfy { isLower($0) || $0 == 0x2d } && text.first != "-" && text.last != "-"
    }

    /// Labels with dots between them: names of claims.
    package static func isSubdomain(_ text: String) -> Bool {
        text.utf8.count <= 253 && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isLabel)
    }

    /// A UID as API servers make them, and whatever else is safe in names of files and devices.
    package static func isUID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { isLower($0) || (0x41...0x5a).contains($0) || $0 == 0x2d }
    }

    /// A value of an environment variable: printable ASCII without spaces, at most 16 KiB.
    package static func isValue(_ text: String) -> Bool {
        text.utf8.count <= 16384 && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) }
}
