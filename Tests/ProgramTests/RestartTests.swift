// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// Recovery of prepared claims after the machine restarts or the kubelet forgets them.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct RestartTests {
    private static let gpu = "pci-0000-07-00-0"

    private func plans(_ node: TestNode) -> [String] { Files.list(node.scratch("journal/plans")) }
    private func specs(_ node: TestNode) -> [String] { Files.list(node.scratch("cdi")) }

    /// A new /run: both daemons have ended, and all their files are gone.
    private func restart(_ node: TestNode) throws {
        node.kill(node: SIGKILL)
        node.kill(injector: SIGKILL)
        node.dropRuntime()
        for folder in ["journal", "states", "cdi"] {
            _ = try ChildProcess.run("/bin/sh", ["-c", "rm -rf '\(node.scratch(folder))'/*"])
        }
        #expect(plans(node).isEmpty && specs(node).isEmpty)
    }

    @Test
    func `after a restart of the machine plans and specifications are restored before the registration with the kubelet`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.addClaim("gpu", devices: [Self.gpu], pod: "pod-2", interface: nil)
        try node.prepare("a")
        try node.prepare("gpu")
        let (before, files) = (plans(node), specs(node))
        #expect(before == ["uid-a.json", "uid-gpu.json"] && files.count == 2)
        let plan = try Files.readText(node.scratch("journal/plans/uid-a.json"))
        try restart(node)
        try node.startInjector()
        // Returns as soon as the kubelet can find the registration socket.
        try node.startNode()
        #expect(plans(node) == before && specs(node) == files)
        #expect(try Files.readText(node.scratch("journal/plans/uid-a.json")) == plan)
        // The kubelet does not prepare again: the pod starts.
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.unprepare("gpu")
        #expect(plans(node).isEmpty && specs(node).isEmpty)
        #expect(Files.list(node.scratch("plugins/dra.nearside/prepared")).isEmpty)
    }

    @Test
    func `a deleted, replaced or unreserved claim is not restored after a restart of the machine`() throws {
        let node = try TestNode.serving()
        for (name, device) in [("gone", Self.gpu), ("other", "pci-0000-0f-00-0"), ("idle", "pci-0000-47-00-0")] {
            try node.addClaim(name, devices: [device], interface: nil)
            try node.prepare(name)
            try node.api.remove("resourceclaims/default", name)
        }
        try node.api.add("resourceclaims/default", ResourceClaim(metadata: Metadata(name: "other", namespace: "default", uid: "uid-new")))
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: "idle", namespace: "default", uid: "uid-idle"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(results: [
                            AllocatedDevice(
                                request: "gpu", driver: node.options.driver, pool: node.options.node, device: "pci-0000-47-00-0")
                        ])))))
        try restart(node)
        try node.startInjector()
        try node.startNode()
        #expect(plans(node).isEmpty && Files.list(node.scratch("plugins/dra.nearside/prepared")).isEmpty)
    }

    @Test
    func `without the API server after a restart of the machine no pod starts without its devices, and plans are restored later`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.prepare("a")
        try restart(node)
        node.api.inject(.init("GET", "/apis/resource.k8s.io/v1/namespaces", code: 503, times: 100_000))
        try node.startInjector()
        try node.startNode()
        #expect(node.log("node.log").contains("plans of prepared claims are still lost"))
        let pod = try node.makePod("one", uid: "pod-1")
        let other = try node.makePod("two", uid: "pod-2")
        for pod in [pod, other] {
            try node.runtime?.run(pod)
            #expect { try node.runtime?.create(NRIContainer(), in: pod) } throws: { "\($0)".contains("uid-a") }
        }
        // Pods that the API server itself depends on are not held back by questions that only the API server can answer.
        let host = NRIPodSandbox.testbed(id: "host", uid: "pod-3", name: "proxy", networkNamespace: nil)
        try node.runtime?.create(NRIContainer(), in: host)
        node.api.recover()
        #expect(eventually(seconds: 75) { plans(node) == ["uid-a.json"] }, "\(node.log("node.log"))")
        for pod in [pod, other] { try node.runtime?.create(NRIContainer(), in: pod) }
        #expect(try node.isAttached("net1", in: pod))
        #expect(try !node.hasInterface("net1", in: other))
        for pod in [pod, other] { try node.runtime?.stop(pod) }
        try node.unprepare("a")
    }

    @Test
    func `a deleted claim is released if the kubelet does not unprepare it, but not while its pod runs`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        node.options.nodeArguments = ["--release-orphans-after", "1"]
        try node.startInjector()
        try node.startNode()
        try node.addClaim("kept", devices: [Self.gpu], pod: "pod-3", interface: nil)
        try node.addClaim("orphan")
        try node.addClaim("running", devices: ["pci-0000-12-00-0"], pod: "pod-2", interface: "net2")
        for name in ["kept", "orphan", "running"] { try node.prepare(name) }
        let pod = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net2", in: pod))
        for name in ["orphan", "running"] { try node.api.remove("resourceclaims/default", name) }
        #expect(eventually { plans(node) == ["uid-kept.json", "uid-running.json"] }, "\(node.log("node.log"))")
        // The plan is removed before the line is written.
        let isLogged = eventually {
            (try? Files.readText(node.scratch("node.log"), limit: 64 << 20))?.contains("orphaned claim released") == true
        }
        #expect(isLogged)
        #expect(try node.isAttached("net2", in: pod))
        // The device is free for the next claim.
        try node.addClaim("next", pod: "pod-4")
        try node.prepare("next")
        try node.runtime?.stop(pod)
        #expect(eventually { !plans(node).contains("uid-running.json") }, "\(node.log("node.log"))")
        #expect(plans(node) == ["uid-kept.json", "uid-next.json"])
        let page = try ChildProcess.run(
            "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/9178; printf 'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3"],
            in: node.host
        ).output
        #expect(page.contains("\nnearside_orphaned_claims_released_total 2\n"))
        // A later call of the kubelet succeeds.
        try node.unprepare("orphan")
    }
}
