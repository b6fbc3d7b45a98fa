// SPDX-License-Identifier: Apache-2.0

import Glibc
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// Claims of pods that were unknown at the preparation: several pods with one claim, and groups of pods.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct SharedClaimTests {
    /// Adds and prepares a claim.
    private func prepare(
        _ node: TestNode, child: Bool = false,
        reserved: [ConsumerReference] = [ConsumerReference(resource: "pods", name: "one", uid: "pod-1")],
        owner: OwnerReference? = nil
    ) throws {
        var parameters: [String: JSONValue] = ["interface": .object(["name": .string("net1")])]
        if child {
            parameters["interface"] = .object([
                "name": .string("net1"), "subInterface": .object(["type": .string("macvlan"), "mode": .string("bridge")]),
            ])
        }
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: "shared", namespace: "default", uid: "uid-shared", ownerReferences: owner.map { [$0] }),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: [
                                AllocatedDevice(request: "nic", driver: node.options.driver, pool: node.options.node, device: TestNode.nic)
                            ],
                            config: [
                                AllocationConfig(
                                    source: .fromClaim, opaque: OpaqueConfig(driver: node.options.driver, parameters: .object(parameters)))
                            ])),
                    reservedFor: reserved)))
        _ = try node.kubelet?.prepare(namespace: "default", name: "shared", uid: "uid-shared")
    }

    /// Reserves the claim for another pod, as the scheduler does.
    private func reserve(_ node: TestNode, _ name: String, uid: String) throws {
        try node.api.reserve("shared", for: ConsumerReference(resource: "pods", name: name, uid: uid))
    }

    private func create(_ node: TestNode, _ pod: NRIPodSandbox) throws { try node.runtime?.create(NRIContainer(), in: pod) }

    private func isAttached(_ node: TestNode, _ pod: NRIPodSandbox) throws -> Bool {
        try node.isAttached("net1", in: pod, address: nil)
    }

    /// The number of reads of the claim, without those for the kubelet's calls.
    private func questions(_ node: TestNode, prepared: Int = 1) -> Int {
        node.api.requests.count { $0.hasPrefix("GET") && $0.hasSuffix("/resourceclaims/shared") } - prepared
    }

    @Test
    func `a second pod of a prepared claim gets its own interface, without a call of the kubelet`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try prepare(node, child: true)
        let one = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(one)
        try create(node, one)
        #expect(questions(node) == 0, "the plan names the first pod")
        try reserve(node, "two", uid: "pod-2")
        let two = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(two)
        try create(node, two)
        #expect(try isAttached(node, one) && isAttached(node, two))
        try create(node, two)
        #expect(questions(node) == 1, "a pod is looked up once")
        // The look-up's result is kept when the kubelet prepares again, as it does after its own restart.
        _ = try node.kubelet?.prepare(namespace: "default", name: "shared", uid: "uid-shared")
        try create(node, two)
        #expect(questions(node, prepared: 2) == 1)
        try node.runtime?.stop(one)
        try node.runtime?.stop(two)
        try node.kubelet?.unprepare(namespace: "default", name: "shared", uid: "uid-shared")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a second pod cannot get an interface of the first one, and does not start without it`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try prepare(node)
        let one = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(one)
        try reserve(node, "two", uid: "pod-2")
        let two = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(two)
        #expect(throws: (any Error).self) { try create(node, two) }
        #expect(node.log("nri.log").contains("code=deviceInUse"), "\(node.log("nri.log"))")
        // The first pod ends, and the runtime asks again.
        try node.runtime?.stop(one)
        try create(node, two)
        #expect(try isAttached(node, two))
    }

    @Test
    func `a claim of a group of pods reaches all of its pods`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        var group = ConsumerReference(resource: "podgroups", name: "group", uid: "group-1")
        group.apiGroup = "scheduling.k8s.io"
        try prepare(
            node, child: true, reserved: [group],
            owner: OwnerReference(apiVersion: "scheduling.k8s.io/v1alpha2", kind: "PodGroup", name: "group", uid: "group-1"))
        for number in 1...2 {
            let name = "member-\(number)"
            try node.api.add(
                "pods/default",
                Pod(
                    metadata: Metadata(name: name, namespace: "default", uid: name),
                    spec: PodSpec(resourceClaims: [PodResourceClaim(name: "nic", resourceClaimName: "shared")])))
            let pod = try node.makePod(name, uid: name)
            try node.runtime?.run(pod)
            // Only the pod's specification shows its group, and reading pods needs an additional right.
            node.api.restrict(to: AdmissionRules(driver: node.options.driver, node: node.options.node))
            #expect { try create(node, pod) } throws: { "\($0)".contains("grant the right with manifests/optional/pod-groups.yaml") }
            node.api.restrict(to: AdmissionRules(driver: node.options.driver, node: node.options.node, readsPods: true))
            try create(node, pod)
            #expect(try isAttached(node, pod))
        }
    }

    @Test
    func `a pod without claims starts, and claims of one pod cause no request`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try prepare(node)
        let plain = try node.makePod("plain", uid: "plain")
        try node.runtime?.run(plain)
        try create(node, plain)
        #expect(questions(node) == 1)
        #expect(try !isAttached(node, plain))

        let other = try TestNode.serving()
        defer { other.removeAllPods() }
        try prepare(other, owner: OwnerReference(apiVersion: "v1", kind: "Pod", name: "one", uid: "pod-1"))
        let pod = try other.makePod("plain", uid: "plain")
        try create(other, pod)
        #expect(questions(other) == 0)
    }

    @Test
    func `the container waits while the pod's use of a claim is unknown, and then starts at once`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try prepare(node, child: true)
        try reserve(node, "two", uid: "pod-2")
        let two = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(two)
        // No answer, and no nearside-node.
        let path = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/"
        node.api.inject(.init("GET", path, code: 500, times: 100))
        #expect { try create(node, two) } throws: { "\($0)".contains("the pod may use claim default/shared") }
        node.api.inject(.init("GET", path, code: 0, times: 1))
        #expect(throws: (any Error).self) { try create(node, two) }
        node.api.recover()
        // A pod of this name for which the claim is not reserved does not use it: the kubelet would not start it otherwise.
        let replaced = try node.makePod("two", uid: "pod-3")
        try create(node, replaced)
        #expect(try !isAttached(node, replaced))
        // The API server itself may be such a pod.
        var stationary = try node.makePod("two", uid: "static")
        stationary.annotations["kubernetes.io/config.source"] = "file"
        try create(node, stationary)
        node.kill(node: SIGKILL)
        #expect { try create(node, two) } throws: { "\($0)".contains("nearside-node does not answer") }
        try node.startNode()
        node.api.recover()
        let isAdmitted = eventually { (try? create(node, two)) != nil }
        #expect(isAdmitted)
        #expect(try isAttached(node, two))
    }
}
