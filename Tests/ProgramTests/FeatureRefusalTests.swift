// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ControlProtocol
import JournalModel
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// A rolling update in which `nearside-node` is newer than `nearside-nri`.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct FeatureRefusalTests {
    private static let gpu = "pci-0000-07-00-0"
    private static let all = JournalFeature.allCases.map(\.rawValue)

    private func standIn(_ node: TestNode, _ features: [String]?) throws -> InjectorStandIn {
        try InjectorStandIn(socket: node.scratch("states/nri.sock"), features: features)
    }

    /// The text of the refusal, and that the claim leaves no files.
    private func refusal(_ node: TestNode, _ claim: String) throws -> String {
        let text = try node.expectRefusal(claim, .injectorOutdated)
        #expect(!Files.list(node.scratch("journal/plans")).contains("uid-\(claim).json"))
        return text
    }

    private func update(_ node: TestNode, from old: InjectorStandIn) throws {
        old.end()
        #expect(eventually { (try? UnixSocket.connect(node.scratch("states/nri.sock"))) == nil })
        try node.startInjector()
    }

    @Test
    func `a claim with a feature that nearside-nri does not support is refused until the update`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let old = try standIn(node, Self.all.filter { !["subInterface", "sysctls"].contains($0) })
        try node.startNode()
        let parameters: JSONValue = .object([
            "interface": .object([
                "name": .string("net1"), "sysctls": .object(["ipv4.rp_filter": .integer(2)]),
                "subInterface": .object(["type": .string("macvlan"), "mode": .string("bridge")]),
            ])
        ])
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: "new", namespace: "default", uid: "uid-new"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: [
                                AllocatedDevice(
                                    request: "nic", driver: node.options.driver, pool: node.options.node, device: TestNode.nic)
                            ],
                            config: [
                                AllocationConfig(
                                    source: .fromClass, opaque: OpaqueConfig(driver: node.options.driver, parameters: parameters))
                            ])), reservedFor: [ConsumerReference(resource: "pods", name: "pod-1", uid: "pod-1")])))
        let text = try refusal(node, "new")
        #expect(
            text
                == "claim default/new: nearside-nri of this node is an older release and does not support subInterface, sysctls; update nearside-nri on this node"
        )
        #expect(old.requests.allSatisfy { $0 == .status })
        // The device is free, and a claim with fewer features gets it from the same daemon.
        try node.addClaim("plain", pod: "pod-2", interface: "net2")
        #expect(try node.prepare("plain").count == 1)
        try node.unprepare("plain")
        try update(node, from: old)
        try node.prepare("new")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod, address: nil))
        try node.runtime?.stop(pod)
        try node.unprepare("new")
    }

    @Test
    func `a nearside-nri that reports no features gets no plan that needs one`() throws {
        let node = try TestNode.hgxA100()
        let old = try standIn(node, nil)
        try node.startNode()
        try node.addClaim("a")
        _ = try refusal(node, "a")
        #expect(!old.requests.contains(.publish(claim: "uid-a")))
        try update(node, from: old)
        #expect(try node.prepare("a").count == 1)
        try node.unprepare("a")
    }

    @Test
    func `a claim without interfaces is prepared after an update without a preceding request of another claim`() throws {
        let node = try TestNode.hgxA100()
        let old = try standIn(node, ["rules"])
        try node.startNode()
        try node.addClaim("a")
        _ = try refusal(node, "a")
        try node.addClaim("b", pod: "pod-2", interface: "net2")
        _ = try refusal(node, "b")
        try node.addClaim("gpu", devices: [Self.gpu], pod: "pod-3", interface: nil)
        try update(node, from: old)
        // The cached features of the old daemon may cause one refusal; the kubelet retries.
        let isPrepared = eventually { (try? node.prepare("gpu")) != nil }
        #expect(isPrepared)
        try node.unprepare("gpu")
    }
}
