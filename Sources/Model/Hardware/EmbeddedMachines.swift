// SPDX-License-Identifier: Apache-2.0

package import Primitives

/// Machine descriptions that are part of the programs. To add one, put the output of `nearside capture` into a file of `Machines/`, and
/// name it in the table below.
extension MachineDescription {
    /// Names of the embedded machines for the option `--machine`.
    package static var embeddedNames: [String] { embedded.map(\.name) }

    /// Returns an embedded machine by its name; nil for any other name.
    package static func embedded(_ name: String) throws(InputError) -> MachineDescription? {
        guard let entry = embedded.first(where: { $0.name == name }) else { return nil }
        return try MachineDescription(json: entry.json.utf8)
    }

    private static let embedded: [(name: String, json: String)] = [
        ("aws-g5", awsG5),
        ("aws-g6", awsG6),
        ("aws-p3dn", awsP3dn),
        ("aws-p4d", awsP4d),
        ("aws-p5", awsP5),
        ("aws-p5en", awsP5en),
        ("aws-p6-b200", awsP6B200),
        ("aws-p6e-gb200", awsP6eGb200),
        ("aws-trn1", awsTrn1),
        ("aws-trn1-2xl", awsTrn12xl),
        ("aws-trn2", awsTrn2),
        ("aws-trn2-3xl", awsTrn23xl),
        ("aws-trn2-no-efa", awsTrn2NoEfa),
        ("azure-nc-a100-v4", azureNcA100V4),
        ("azure-nd-a100-v4", azureNDA100),
        ("azure-nd-gb300", azureNdGb300),
        ("azure-nd-mi300x", azureNdMi300x),
        ("azure-nd-v2", azureNdV2),
        ("dgx-2", dgx2),
        ("gcp-a3-highgpu-8g", gcpA3Highgpu8g),
        ("hgx-a100", hgxA100),
        ("intel-many-vfs", intelManyVfs),
        ("mi250x", mi250x),
        ("mi300a", mi300a),
        ("mi355x", mi355x),
        ("oci-bm-gpu-b4", ociBmGpuB4),
        ("oci-bm-gpu-h100", ociBmGpuH100),
        ("oci-bm-gpu4", ociBmGpu4),
        ("power8", power8),
    ]
}
