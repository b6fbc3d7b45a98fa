// SPDX-License-Identifier: Apache-2.0

/// The part of a plan for containers. It is plain data: `nearside-nri` checks each value, and builds the claim's CDI specification from
/// it. It names no hook, no file of the host and no kind of device.
package struct ContainerPlan: Hashable, Sendable, Codable {
    /// Variables for each container with a device of the claim, by name.
    package var environment: [String: String]
    /// True if the claim's workload files include a topology file for NCCL.
    package var hasTopology: Bool
    /// Requests, without sub-requests, whose devices a workload file describes (KEP-5304).
    package var describedRequests: [String]
    /// The pod's name for the claim, if the claim was created from a template.
    package var podClaimName: String?

    package init(
        environment: [String: String] = [:], hasTopology: Bool = false, describedRequests: [String] = [], podClaimName: String? = nil
    ) {
        self.environment = environment
        self.hasTopology = hasTopology
        self.describedRequests = describedRequests
        self.podClaimName = podClaimName
    }
}

/// The device nodes of one device of a claim.
package struct DeviceAccess: Hashable, Sendable, Codable {
    /// The place of the device: a PCI address as in sysfs, followed by `/sf88` for a sub-function; or the name of a virtual interface.
    package var address: String
    package var nodes: [NodePlan]

    package init(address: String, nodes: [NodePlan]) {
        self.address = address
        self.nodes = nodes
    }
}

/// A character device.
package struct NodePlan: Hashable, Sendable, Codable {
    /// `/dev/infiniband/uverbs0`
    package var path: String
    package var major: UInt32
    package var minor: UInt32

    package init(path: String, major: UInt32, minor: UInt32) {
        self.path = path
        self.major = major
        self.minor = minor
    }
}
