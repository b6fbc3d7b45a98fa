// SPDX-License-Identifier: Apache-2.0

package import Hardware
import Linux
import Primitives

/// CDI specifications of vendors' tools. They list the libraries and helpers that devices need besides device nodes.
package struct VendorSpecs: Sendable {
    private let folders: [String]

    package init(folders: [String]) { self.folders = folders }

    /// CDI names of accelerators, by the name of the device in slices; accelerators without one are missing.
    ///
    /// The search reads only names, because a specification can be YAML or JSON, and only the runtime interprets its content.
    package func names(for devices: [String: Device]) -> [String: String] {
        let gpus = devices.filter { $0.value.family == .nvidia }
        guard !gpus.isEmpty else { return [:] }
        let given = self.given(kind: "nvidia.com/gpu")
        guard !given.isEmpty else { return [:] }
        return gpus.compactMapValues { device in
            let facts = device.function?.accelerator
            // The UUID comes first, because an index can change after the loss of a GPU (nvidia-ctk cdi generate lists both).
            let candidates = [facts?.uuid, facts?.index.map(String.init)].compactMap { $0 }
            return candidates.first(where: given.contains).map { "nvidia.com/gpu=\($0)" }
        }
    }

    /// Names of devices in all specifications of a kind.
    private func given(kind: String) -> Set<String> {
        var names: Set<String> = []
        for folder in folders {
            for file in Files.list(folder) where [".yaml", ".yml", ".json"].contains(where: file.hasSuffix) {
                guard let text = try? Files.readText("\(folder)/\(file)", limit: 16 << 20), text.includes(kind) else { continue }
                names.formUnion(Self.names(in: text, kind: kind))
            }
        }
        return names
    }

    /// Values of `name` with any quoting (`name: "0"`, `- name: GPU-1`, `{"name": "0"}`), in those documents of a file that have the
    /// kind.
    private static func names(in text: String, kind: String) -> Set<String> {
        text.pieces(separatedBy: "\n---").reduce(into: []) { $0.formUnion(names(ofDocument: $1, kind: kind)) }
    }

    private static func names(ofDocument text: String, kind: String) -> Set<String> {
        var isOfKind = false
        var names: Set<String> = []
        for line in text.split(whereSeparator: { $0 == "\n" || $0 == "," || $0 == "{" || $0 == "}" }) {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            func plain(_ part: Substring) -> String {
                String(part.filter { $0 != "\"" && $0 != "'" && $0 != " " && $0 != "\t" && $0 != "\r" })
            }
            let value = plain(parts[1])
            switch plain(parts[0]) {
            case "kind": isOfKind = isOfKind || value == kind
            case "name", "-name": names.insert(value)
            default: break
            }
        }
        return isOfKind ? names : []
    }
}
