// SPDX-License-Identifier: Apache-2.0

package import CDI
package import Linux
import ResourceAPI

/// The folder in which runtimes look for specifications.
package struct SpecFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// Writes a specification in the place of an older one, by a rename within the folder, which the runtimes' caches notice. It is not flushed
    /// to a disk: after a restart of the machine plans and specifications are made anew.
    package func write(_ spec: Spec, named name: String) throws {
        let bytes = try JSONValue(encoding: spec).text
        let file = "\(path)/\(name).json"
        // An equal file is not replaced: runtimes read the folder again after each change.
        if (try? Files.read(file)) == bytes { return }
        try Files.makeFolder(path)
        try Files.replace(file, with: bytes, isDurable: false)
    }

    /// Removes a specification; nothing happens when there is none.
    package func remove(named name: String) throws(SystemError) {
        try Files.remove("\(path)/\(name).json")
    }

    /// The kind of the devices in a file; nil when the file is no specification.
    package func kind(named name: String) -> String? {
        guard let bytes = try? Files.readPlain("\(name).json", in: path, limit: 4 << 20), let value = try? JSONValue(parsing: bytes),
            case .string(let kind)? = value["kind"]
        else { return nil }
        return kind
    }

    /// Names of the specifications, those of other drivers included.
    package func names() -> [String] {
        Files.list(path).filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.map { String($0.dropLast(5)) }
    }
}
