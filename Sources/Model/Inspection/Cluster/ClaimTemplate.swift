// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// `nearside claim`: a ResourceClaimTemplate for a wish, in the form that a cluster can serve.
package struct ClaimTemplate: Hashable, Sendable, Encodable {
    package private(set) var document: JSONValue = .null
    /// What of the wish the form cannot say.
    package private(set) var remarks: [String]

    private let wish: ClaimRequest
    private let ground: ClusterCapabilities
    private var requests: [JSONValue] = []
    private var constraints: [JSONValue] = []

    /// Requests of one claim, of the API.
    private static let most = 32

    package init(_ wish: ClaimRequest, _ ground: ClusterCapabilities) throws(ClaimRequest.Malformed) {
        self.wish = wish
        self.ground = ground
        remarks = ground.remarks
        guard (1...512).contains(wish.accelerators) else {
            throw ClaimRequest.Malformed(description: "a claim is for 1 to 512 accelerators, not \(wish.accelerators)")
        }
        let pairs = (wish.accelerators + ground.acceleratorsPerPair - 1) / ground.acceleratorsPerPair
        if !wish.rails.isEmpty, wish.rails.count < pairs {
            throw ClaimRequest.Malformed(description: "\(pairs) pairs cannot be on \(wish.rails.count) rails: each is on one of its own")
        }
        if pairs * ground.acceleratorsPerPair > wish.accelerators {
            remarks.append(
                "a pair has \(ground.acceleratorsPerPair) accelerators here: \(pairs * ground.acceleratorsPerPair) are asked for")
        }
        switch ground.form {
        case .pairs: askForPairs(pairs)
        case .constraints:
            try askForMembers(
                pairs, deviceClass: "accelerator.nearside", attribute: "\(wish.driver)/pair", all: "\(wish.driver)/group\(pairs)",
                hasGroups: pairs > 1 && pairs.nonzeroBitCount == 1)
        case .vendor(ClusterCapabilities.neuronClass, _): try askForNeurons()
        case .vendor(let deviceClass, let attribute):
            if !wish.rails.isEmpty { remarks.append("rails are of the NICs: their accelerators come along by \(attribute)") }
            try askForMembers(pairs, deviceClass: deviceClass, attribute: attribute, all: "", hasGroups: false)
        }
        finish()
    }

    package func encode(to encoder: any Encoder) throws { try document.encode(to: encoder) }

    // MARK: Forms

    private mutating func askForPairs(_ count: Int) {
        let name = "pairs"
        let isSet = count > 1 && count.nonzeroBitCount == 1 && wish.rails.isEmpty
        let node = "resource.kubernetes.io/numaNode"
        // A set has this attribute when all its members are on one node.
        let onOneNode = #""resource.kubernetes.io" in device.attributes && "numaNode" in device.attributes["resource.kubernetes.io"]"#
        switch wish.together {
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

    /// A request for the accelerators and one for the NICs of each pair, held together by an attribute.
    private mutating func askForMembers(
        _ pairs: Int, deviceClass: String, attribute: String, all: String, hasGroups: Bool
    ) throws(ClaimRequest.Malformed) {
        guard pairs * 2 <= Self.most else {
            throw ClaimRequest.Malformed(
                description:
                    "a claim has at most \(Self.most) requests: \(pairs) pairs need two each, where pairs are no devices of their own")
        }
        for index in 0..<pairs {
            let (accelerator, nic) = pairs == 1 ? ("accelerator", "nic") : ("accelerator-\(index)", "nic-\(index)")
            let selectors = wish.rails.isEmpty ? [] : [rail(in: [wish.rails[index]])]
            let own = deviceClass == "accelerator.nearside" ? selectors : []
            requests.append(exactly(accelerator, deviceClass, ground.acceleratorsPerPair, own))
            requests.append(exactly(nic, "rdma.nearside", ground.nicsPerPair, selectors))
            constraints.append(match(attribute, [accelerator, nic]))
        }
        guard pairs > 1 else { return }
        let nics = (0..<pairs).map { "nic-\($0)" }
        switch wish.together {
        case .any: break
        case .required:
            constraints.append(match("resource.kubernetes.io/numaNode", nics))
            if hasGroups, wish.rails.isEmpty { constraints.append(match(all, nics)) }
        case .preferred: remarks.append("what is only preferred cannot be said in this form: they may be on several NUMA nodes")
        }
    }

    /// AWS's driver and ours name the same groups: the NICs come with the group.
    private mutating func askForNeurons() throws(ClaimRequest.Malformed) {
        guard ClusterCapabilities.neuronGroups.contains(wish.accelerators) else {
            throw ClaimRequest.Malformed(
                description:
                    "\(ClusterCapabilities.neuronClass) has groups of 1, 4, 8 and 16 devices: \(wish.accelerators) have no NICs in common")
        }
        let nics = max(1, wish.accelerators * ground.nicsPerPair / ground.acceleratorsPerPair)
        requests = [
            exactly("accelerators", ClusterCapabilities.neuronClass, wish.accelerators, []),
            exactly("nics", "efa.nearside", nics, railSelectors),
        ]
        constraints = [match("resource.aws.com/devicegroup\(wish.accelerators)_id", ["accelerators", "nics"])]
    }

    // MARK: Parts

    private var railSelectors: [String] { wish.rails.isEmpty ? [] : [rail(in: wish.rails)] }

    private func rail(in rails: [Int]) -> String {
        let list = rails.map(String.init).joined(separator: ", ")
        let attributes = "device.attributes[\"\(wish.driver)\"]"
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

    /// v1beta1 has no level of its own for it.
    private func exactly(_ name: String, _ deviceClass: String, _ count: Int, _ selectors: [String]) -> JSONValue {
        if ground.version == .v1beta1 { return request(name, deviceClass, count, selectors) }
        return .object(["name": .string(name), "exactly": .object(fields(deviceClass, count, selectors))])
    }

    private func match(_ attribute: String, _ requests: [String]) -> JSONValue {
        .object(["matchAttribute": .string(attribute), "requests": .array(requests.map { .string($0) })])
    }

    private mutating func finish() {
        var devices: [String: JSONValue] = ["requests": .array(requests)]
        if !constraints.isEmpty { devices["constraints"] = .array(constraints) }
        document = .object([
            "apiVersion": .string(ground.version.groupVersion), "kind": .string("ResourceClaimTemplate"),
            "metadata": .object(["name": .string(wish.name)]),
            "spec": .object(["spec": .object(["devices": .object(devices)])]),
        ])
    }
}
