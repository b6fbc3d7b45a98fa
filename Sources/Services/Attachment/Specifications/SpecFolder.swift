// SPDX-License-Identifier: Apache-2.0

package import CDI
package import Linux
import ResourceAPI

/// The folder in which runtimes look up CDI specifications.
package struct SpecFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// Writes or replaces a specification by a rename within the folder, which the runtimes' caches notice. It is not durable: after a
    /// restart of the machine, specifications are restored from plans.
    package func write(_ spec: Spec, named name: String) throws {
        let bytes = try JSONValue(encoding: spec).text
        let file = "\(path)/\(name).json"
        // An equal file is not replaced, because runtimes read the folder after each change.
        if (try? Files.read(file)) == bytes { return }
        try Files.makeFolder(path)
        try Files.replace(file, with: bytes, isDurable: false)
    }

    /// Removes a specification, if it exists.
    package func remove(named name: String) throws(SystemError) {
        try Files.remove("\(path)/\(name).json")
    }

    /// The kind of the devices in a file; nil if the file is not a specification.
    package func kind(named name: String) -> String? {
        guard let bytes = try? Files.readPlain("\(name).json", in: path, limit: 4 << 20), let value = try? JSONValue(parsing: bytes),
            case .string(let kind)? = value["kind"]
        else { return nil }
        return kind
    }

    /// Names of the specifications, including other drivers' specifications.
    package func names() -> [String] {
        Files.list(path).filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.map { String($0.dropLast(5)) }
    }
}
