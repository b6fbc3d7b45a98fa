// SPDX-License-Identifier: Apache-2.0

/// Names of the files for a claim's containers: the topology of their devices (NCCL's XML), and the metadata of a request (KEP-5304).
package enum WorkloadFile {
    /// - Parameter request: a request of the claim for its metadata; nil for the topology.
    package static func name(_ uid: String, request: String? = nil) -> String { request.map { "\(uid)_\($0).json" } ?? "\(uid).xml" }
}
