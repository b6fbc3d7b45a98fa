// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// Names of the embedded machines, as `--machine` takes them.
    package static var embeddedNames: [String] { embedded.map(\.name) }

    /// An embedded machine by its name; nil for any other name.
    package static func embedded(_ name: String) throws(Malformed) -> MachineDescription? {
        guard let entry = embedded.first(where: { $0.name == name }) else { return nil }
        return try MachineDescription(json: entry.json.utf8)
    }

    private static let embedded: [(name: String, json: String)] = [
        ("aws-p4d", awsP4d),
        ("aws-p5", awsP5),
        ("aws-trn1", awsTrn1),
        ("aws-trn2", awsTrn2),
        ("azure-nd-a100-v4", azureNDA100),
        ("hgx-a100", hgxA100),
    ]
}
