// SPDX-License-Identifier: Apache-2.0

package import Primitives
package import ResourceAPI

/// The ResourceClaimTemplate of `nearside claim` for a request, in the form that a cluster supports.
package struct ClaimTemplate: Hashable, Sendable, Encodable {
    package private(set) var document: JSONValue = .null
    /// Parts of the request that the form cannot express, one line each.
    package private(set) var warnings: [String]

    private let claim: ClaimRequest
    private let capabilities: ClusterCapabilities
    private var requests: [JSONValue] = []
    private var constraints: [JSONValue] = []

    /// Limit of the API on the requests of one claim.
    private static let most = 32

    package init(_ claim: ClaimRequest, _ capabilities: ClusterCapabilities) throws(InputError) {
        self.claim = claim
        self.capabilities = capabilities
        warnings = capabilities.warnings
        guard (1...512).contains(claim.accelerators) else {
            throw InputError(.outOfBounds, "claim", "\(claim.accelerators) accelerators are outside of 1 to 512")
        }
        let pairs = (claim.accelerators + capabilities.acceleratorsPerPair - 1) / capabilities.acceleratorsPerPair
        if !claim.rails.isEmpty, claim.rails.count < pairs {
            throw InputError(.missing, "claim", "\(pairs) pairs need as many rails, and \(claim.rails.count) are named")
        }
        if pairs * capabilities.acceleratorsPerPair > claim.accelerators {
            warnings.append(
                "a pair has \(capabilities.acceleratorsPerPair) accelerators here: the template requests \(pairs * capabilities.acceleratorsPerPair)"
            )
        }
        switch capabilities.form {
        case .pairs: askForPairs(pairs)
        case .constraints:
            try askForMembers(
                pairs, deviceClass: "accelerator.nearside", attribute: "\(claim.driver)/pair", all: "\(claim.driver)/group\(pairs)",
                hasGroups: pairs > 1 && pairs.nonzeroBitCount == 1)
        case .vendor(ClusterCapabilities.neuronClass, _): try askForNeurons()
        case .vendor(let deviceClass, let attribute):
            if !claim.rails.isEmpty { warnings.append("rails select NICs, and \(attribute) matches their accelerators") }
            try askForMembers(pairs, deviceClass: deviceClass, attribute: attribute, all: "", hasGroups: false)
        }
        finish()
    }

    package func encode(to encoder: any Encoder) throws { try document.encode(to: encoder) }

    // MARK: Forms

    private mutating func askForPairs(_ count: Int) {
        let name = "pairs"
        let isSet = count > 1 && count.nonzeroBitCount == 1 && claim.rails.isEmpty
        let node = "resource.kubernetes.io/numaNode"
        // A set has this attribute if all its members are on one node.
        let onOneNode = #""resource.kubernetes.io" in device.attributes && "numaNode" in device.attributes["resource.kubernetes.io"]"#
        switch claim.together {
        case _ where count == 1: requests = [exactly(name, "pair.nearside", 1, railSelectors)]
        case .any: requests = [exactly(name, "pair.nearside", count, railSelectors)]
        case .required where isSet: requests = [exactly(name, "pairs-\(count).nearside", 1, [onOneNode])]
        case .required:
            requests = [exactly(name, "pair.nearside", count, railSelectors)]
            constraints = [match(node, [name])]
        case .preferred:
            let first =
                isSet
                ? request("together", "pairs-\(count).nearside", 1, []) : request("together", "pair.nearside", count, railSelectors)
            requests = [
                .object([
                    "name": .string(name), "firstAvailable": .array([first, request("apart", "pair.nearside", count, railSelectors)]),
                ])
            ]
            if !isSet { constraints = [match(node, ["\(name)/together"])] }
        }
    }

    /// Adds a request for the accelerators and one for the NICs of each pair, and a constraint that matches them.
    private mutating func askForMembers(
        _ pairs: Int, deviceClass: String, attribute: String, all: String, hasGroups: Bool
    ) throws(InputError) {
        guard pairs * 2 <= Self.most else {
            throw InputError(
                .outOfBounds, "claim",
                "at most \(Self.most) requests fit, and \(pairs) pairs need two each, since the cluster has no devices for pairs")
        }
        for index in 0..<pairs {
            let (accelerator, nic) = pairs == 1 ? ("accelerator", "nic") : ("accelerator-\(index)", "nic-\(index)")
            let selectors = claim.rails.isEmpty ? [] : [rail(in: [claim.rails[index]])]
            let own = deviceClass == "accelerator.nearside" ? selectors : []
            requests.append(exactly(accelerator, deviceClass, capabilities.acceleratorsPerPair, own))
            requests.append(exactly(nic, "rdma.nearside", capabilities.nicsPerPair, selectors))
            constraints.append(match(attribute, [accelerator, nic]))
        }
        guard pairs > 1 else { return }
        let nics = (0..<pairs).map { "nic-\($0)" }
        switch claim.together {
        case .any: break
        case .required:
            constraints.append(match("resource.kubernetes.io/numaNode", nics))
            if hasGroups, claim.rails.isEmpty { constraints.append(match(all, nics)) }
        case .preferred: warnings.append("this form cannot express a preference: the devices may be on several NUMA nodes")
        }
    }

    /// Requests a group of Neuron devices with its NICs: AWS's driver and this one publish the same group ids.
    private mutating func askForNeurons() throws(InputError) {
        guard ClusterCapabilities.neuronGroups.contains(claim.accelerators) else {
            throw InputError(
                .unsupported, "claim",
                "\(ClusterCapabilities.neuronClass) has groups of 1, 4, 8 and 16 devices: \(claim.accelerators) have no NICs in common")
        }
        let nics = max(1, claim.accelerators * capabilities.nicsPerPair / capabilities.acceleratorsPerPair)
        requests = [
            exactly("accelerators", ClusterCapabilities.neuronClass, claim.accelerators, []),
            exactly("nics", "efa.nearside", nics, railSelectors),
        ]
        constraints = [match("resource.aws.com/devicegroup\(claim.accelerators)_id", ["accelerators", "nics"])]
    }

    // MARK: Parts

    private var railSelectors: [String] { claim.rails.isEmpty ? [] : [rail(in: claim.rails)] }

    private func rail(in rails: [Int]) -> String {
        let list = rails.map(String.init).joined(separator: ", ")
        let attributes = "device.attributes[\"\(claim.driver)\"]"
        return "\"rail\" in \(attributes) && \(attributes).rail in [\(list)]"
    }

    private func fields(_ deviceClass: String, _ count: Int, _ selectors: [String]) -> [String: JSONValue] {
        var fields: [String: JSONValue] = ["deviceClassName": .string(deviceClass)]
        if count != 1 {
            fields["allocationMode"] = .string("ExactCount")
            fields["count"] = .integer(Int64(count))
        }
        if !selectors.isEmpty {
            fields["selectors"] = .array(selectors.map { .object(["cel": .object(["expression": .string($0)])]) })
        }
        return fields
    }

    private func request(_ name: String, _ deviceClass: String, _ count: Int, _ selectors: [String]) -> JSONValue {
        .object(fields(deviceClass, count, selectors).merging(["name": .string(name)]) { $1 })
    }

    /// Returns a request for exact devices. v1beta1 has no level `exactly`.
    private func exactly(_ name: String, _ deviceClass: String, _ count: Int, _ selectors: [String]) -> JSONValue {
        if capabilities.version == .v1beta1 { return request(name, deviceClass, count, selectors) }
        return .object(["name": .string(name), "exactly": .object(fields(deviceClass, count, selectors))])
    }

    private func match(_ attribute: String, _ requests: [String]) -> JSONValue {
        .object(["matchAttribute": .string(attribute), "requests": .array(requests.map { .string($0) })])
    }

    private mutating func finish() {
        var devices: [String: JSONValue] = ["requests": .array(requests)]
        if !constraints.isEmpty { devices["constraints"] = .array(constraints) }
        document = .object([
            "apiVersion": .string(capabilities.version.groupVersion), "kind": .string("ResourceClaimTemplate"),
            "metadata": .object(["name": .string(claim.name)]),
            "spec": .object(["spec": .object(["devices": .object(devices)])]),
        ])
    }
}
