// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// What of a machine is published, and under which driver's name.
package struct PublishingPolicy: Sendable {
    /// Attributes and devices are published under this name.
    package var driver: String
    /// Kinds of accelerators that this driver owns; others are their vendors' drivers'.
    package var owned: Set<String>
    /// Prefixes of names of virtual interfaces that may be given to pods.
    package var virtualNICs: [String]

    package init(driver: String, owned: Set<String> = [], virtualNICs: [String] = []) {
        self.driver = driver
        self.owned = owned
        self.virtualNICs = virtualNICs
    }

    /// A kind that the catalog does not know.
    package struct UnknownFamily: Error, CustomStringConvertible {
        package var name: String
        package var description: String {
            let known = Set(Catalog.Family.allCases.map(\.policyName)).sorted().joined(separator: ", ")
            return "\"\(name)\" is no kind of accelerator; known are \(known)"
        }
    }

    /// Reads a list such as `gpus,neurons`.
    package static func owned(_ text: String) throws(UnknownFamily) -> Set<String> {
        let known = Set(Catalog.Family.allCases.map(\.policyName))
        let names = text.split(separator: ",").map(String.init)
        for name in names where !known.contains(name) { throw UnknownFamily(name: name) }
        return Set(names)
    }

    package func publishes(_ device: Device) -> Bool {
        switch device.kind {
        case .accelerator: device.family.map { owned.contains($0.policyName) } ?? false
        case .nic:
            !device.isUplink
                && (device.function != nil || virtualNICs.contains { device.address.hasPrefix($0) })
        }
    }
}
