// SPDX-License-Identifier: Apache-2.0

import Primitives
import ResourceAPI

/// Names of interfaces in pods.
///
/// A configured name has the characters of a DNS label: lower-case letters, digits and dashes, beginning with a letter or a digit. This
/// excludes the kernel's patterns (`%d`), separators of paths and sysctls (`/`, `.`), and options of tools. A dash at the end is allowed,
/// because a number may follow. A name from the host (`enP1p1s0f0np0`, `ib_0`) is kept if the kernel accepts it.
package enum InterfaceNames {
    /// The loopback, the pod network's interface, and folders in /proc/sys/net that represent all interfaces.
    package static let reserved = ["lo", "eth0", "all", "default"]

    /// The schema's pattern for a configured name. Reserved names and names of digits only are checked separately.
    package static let pattern = "^[a-z0-9][a-z0-9-]*$"

    /// The reason why a name cannot be configured; nil if it can.
    package static func problem(_ name: String) -> String? {
        let isPlain = name.utf8.allSatisfy { $0.isASCIILowercaseAlphanumeric || $0 == 0x2d }
        guard isPlain, (1...ConfigLimits.nameBytes).contains(name.utf8.count), name.utf8.first != 0x2d else {
            return
                "\(ProblemText.quoted(name)) is not a valid name of an interface: 1 to \(ConfigLimits.nameBytes) lower-case letters, digits "
                + "and dashes, beginning with a letter or a digit"
        }
        if name.utf8.allSatisfy(\.isASCIIDigit) { return "\"\(name)\" is a number, which tools interpret as an index" }
        return reserved.contains(name) ? "\"\(name)\" is reserved" : nil
    }

    /// True for a name that the kernel accepts unchanged (dev_valid_name and dev_get_valid_name in net/core/dev.c) and that is not
    /// reserved.
    package static func isUsable(_ name: String) -> Bool {
        (1...ConfigLimits.nameBytes).contains(name.utf8.count) && name != "." && name != ".." && !reserved.contains(name)
            && name.utf8.first != UInt8(ascii: "-")
            && name.utf8.allSatisfy {
                (0x21...0x7e).contains($0) && ![UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "%")].contains($0)
            }
    }
}

extension ConfigReader {
    mutating func interfaceName(_ json: JSONValue?, at path: String) -> String? {
        guard let name = string(json, at: path, bytes: ConfigLimits.nameBytes) else { return nil }
        if let problem = InterfaceNames.problem(name) { self.problem(path, problem) }
        return name
    }
}
