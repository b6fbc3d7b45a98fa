// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Glibc
import KubeletAPI
import Linux
import NRIMessages
import ResourceAPI
import SwiftProtobuf
import Testbed
import Testing

/// Isolation of a claim from other claims of its node.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct ClaimIsolationTests {
    private static let gpu = "pci-0000-07-00-0"

    private func phase(_ node: TestNode, _ claim: String) -> String? {
        let plan = try? Files.readText(node.scratch("journal/plans/uid-\(claim).json"))
        return plan.map { $0.contains("\"released\"") ? "released" : "prepared" }
    }

    /// A call of the kubelet in the background.
    private func background(_ node: TestNode, _ body: @escaping @Sendable (KubeletPeer) throws -> Void) throws -> Background {
        let kubelet = try #require(node.kubelet)
        return try Background { try body(kubelet) }
    }

    @Test
    func `while nearside-nri is stopped during a release, another claim gets its devices at once`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.addClaim("gpu", devices: [Self.gpu], pod: "pod-2", interface: nil)
        try node.prepare("a")
        node.injectorDaemon?.signal(SIGSTOP)
        defer { node.injectorDaemon?.signal(SIGCONT) }
        let release = try background(node) { try $0.unprepare(namespace: "default", name: "a", uid: "uid-a") }
        #expect(eventually { phase(node, "a") == "released" })
        // The claim needs nearside-nri for its CDI specification, which follows the plan.
        let next = try background(node) { _ = try $0.prepare(namespace: "default", name: "gpu", uid: "uid-gpu") }
        #expect(eventually { phase(node, "gpu") == "prepared" })
        #expect(!release.isDone && !next.isDone)
        node.injectorDaemon?.signal(SIGCONT)
        try next.finish()
        try release.finish()
        #expect(phase(node, "a") == nil)
        // Without nearside-nri the error names the cause, and not another instance.
        node.injectorDaemon?.signal(SIGSTOP)
        try node.expectRefusal("gpu", .injectorUnreachable)
    }

    @Test
    func `nearside-node answers a query of nearside-nri while a claim is being released`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.addClaim("b", devices: ["pci-0000-12-00-0"], interface: "net2")
        try node.prepare("a")
        try node.prepare("b")
        try node.api.reserve("b", for: ConsumerReference(resource: "pods", name: "two", uid: "pod-2"))
        let pod = try node.makePod("two", uid: "pod-2")
        node.injectorDaemon?.signal(SIGSTOP)
        defer { node.injectorDaemon?.signal(SIGCONT) }
        let release = try background(node) { try $0.unprepare(namespace: "default", name: "a", uid: "uid-a") }
        #expect(eventually { phase(node, "a") == "released" })
        // Sent before nearside-nri resumes, which serves the runtime first and queries nearside-node in the meantime.
        let daemon = try #require(node.injectorDaemon)
        let wakeUp = try Background {
            usleep(300_000)
            daemon.signal(SIGCONT)
        }
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net2", in: pod))
        try wakeUp.finish()
        try release.finish()
        try node.runtime?.stop(pod)
        try node.unprepare("b")
    }

    @Test
    func `claims of one call are prepared in parallel, and all get an answer`() throws {
        let node = try TestNode.serving()
        try node.addClaim("slow", devices: [Self.gpu], interface: nil)
        try node.addClaim("quick", devices: ["pci-0000-0f-00-0"], interface: nil)
        node.api.inject(.init("GET", "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/slow", code: 503, retryAfter: 3))
        let socket = try #require(
            KubeletPeer.Channel(socket: node.scratch("plugins/\(node.options.driver)/dra.sock"), authority: "localhost"))
        let call = try Background {
            var request = DRAV1NodePrepareResourcesRequest()
            request.claims = ["slow", "quick", "none"].map { name in
                .with { ($0.namespace, $0.name, $0.uid) = ("default", name, "uid-\(name)") }
            }
            let response: DRAV1NodePrepareResourcesResponse = try socket.call(
                "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources", request)
            #expect(response.claims.count == 3)
            for name in ["slow", "quick"] { #expect(response.claims["uid-\(name)"]?.error == "") }
            #expect(response.claims["uid-none"]?.error.contains("404 NotFound") == true)
        }
        #expect(eventually { phase(node, "quick") == "prepared" })
        #expect(!call.isDone && phase(node, "slow") == nil)
        try call.finish()
    }

    @Test
    func `a device of a forcibly deleted pod is prepared for the next claim as soon as it is released`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.prepare("a")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        // The cluster has deleted the claim and allocates its device again, while the kubelet is still ending the pod.
        try node.api.remove("resourceclaims/default", "a")
        try node.addClaim("b", pod: "pod-2")
        let next = try background(node) { _ = try $0.prepare(namespace: "default", name: "b", uid: "uid-b") }
        usleep(500_000)
        #expect(!next.isDone && phase(node, "b") == nil)
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try next.finish()
        #expect(phase(node, "b") == "prepared")
        try node.unprepare("b")
    }

    @Test
    func `a device of a deleted claim that is not released in time is refused with the advice to retry`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.prepare("a")
        try node.addClaim("b", pod: "pod-2")
        // Claim a owns the device.
        let start = ContinuousClock.now
        let held = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("b") }
        #expect(held?.details == "claim default/b: device \(TestNode.nic) is still held by claim default/a")
        #expect(ContinuousClock.now - start < .seconds(3))
        try node.api.remove("resourceclaims/default", "a")
        let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("b") }
        #expect(
            error?.details
                == "claim default/b: device \(TestNode.nic) is still held by claim default/a; claim default/a is being released: retry"
        )
        try node.unprepare("a")
        try node.prepare("b")
    }

    @Test
    func `nested parameters of another driver in one claim do not delay another claim`() throws {
        let node = try TestNode.serving()
        let depth = 200
        var parameters = JSONValue.array(Array(repeating: .integer(1), count: 4000))
        for _ in 0..<depth { parameters = .array([parameters]) }
        let config = AllocationConfig(
            source: .fromClaim, opaque: OpaqueConfig(driver: "other.example.com", parameters: .object(["a": parameters])))
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: "evil", namespace: "default", uid: "uid-evil"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: [
                                AllocatedDevice(
                                    request: "gpu", driver: node.options.driver, pool: node.options.node, device: "pci-0000-0f-00-0")
                            ],
                            config: Array(repeating: config, count: 32))))))
        try node.addClaim("good", devices: [Self.gpu], pod: "pod-2", interface: nil)
        let evil = try (0..<3).map { _ in
            try background(node) { _ = try? $0.prepare(namespace: "default", name: "evil", uid: "uid-evil") }
        }
        var longest = Duration.zero
        for _ in 0..<20 {
            let start = ContinuousClock.now
            try node.prepare("good")
            longest = max(longest, ContinuousClock.now - start)
        }
        #expect(longest < .seconds(1), "\(longest)")
        for call in evil { try call.finish() }
    }

    @Test
    func `an error of any length reaches the kubelet with at most 2 KiB`() throws {
        let node = try TestNode.hgxA100()
        try node.startNode()
        let name = String(repeating: "é", count: 50_000)
        let error = #expect(throws: KubeletPeer.Failure.self) {
            try node.kubelet?.prepare(namespace: "default", name: name, uid: "uid-long")
        }
        let details = try #require(error?.details)
        #expect(details.utf8.count <= 2048 && details.hasPrefix("claim default/éé") && details.hasSuffix(" bytes more"))
        #expect(!details.contains("\u{fffd}"))
    }
}
