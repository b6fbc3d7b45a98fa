// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// Pods without a gate that the runtime started while no plugin was connected.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct LatePodTests {
    private func start(_ policy: String) throws -> TestNode {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.nodeArguments = ["--evict", policy]
        let node = try TestNode(options)
        try node.startInjector()
        try node.startNode()
        return node
    }

    /// The plugin was killed, and a pod with a prepared claim has started.
    private func slip(_ node: TestNode) throws -> NRIPodSandbox {
        try node.addClaim("slipped")
        try node.prepare("slipped")
        try node.api.add("pods/default", Pod(metadata: Metadata(name: "one", namespace: "default", uid: "pod-1")))
        node.kill(injector: SIGKILL)
        node.dropRuntime()
        let pod = try node.makePod("one", uid: "pod-1")
        var container = NRIContainer()
        (container.id, container.podSandboxID, container.state) = ("container-1", pod.id, .containerRunning)
        node.containers = [container]
        return pod
    }

    private func events(_ node: TestNode) throws -> [String] {
        try node.api.events().filter { $0.involvedObject.kind == "Pod" }.map { "\($0.reason) \($0.involvedObject.name)" }
    }

    private func isEvicted(_ node: TestNode) -> Bool { node.api.requests.contains("POST /api/v1/namespaces/default/pods/one/eviction") }

    @Test
    func `a pod that started without its devices gets them when the plugin reconnects, and is reported`() throws {
        let node = try start("failed")
        defer { node.removeAllPods() }
        let before = try node.hostText()
        let pod = try slip(node)
        try node.startInjector()
        #expect(try node.isAttached("net1", in: pod))
        #expect(try eventually { try events(node) == ["DevicesLate one"] })
        #expect(!isEvicted(node), "it has its devices")
        // Restarts of both daemons do not repeat the report.
        node.kill(injector: SIGTERM)
        node.dropRuntime()
        try node.startInjector()
        try node.runtime?.stop(pod)
        try node.unprepare("slipped")
        #expect(try events(node) == ["DevicesLate one"])
        #expect(Files.list(node.scratch("states/late")).isEmpty)
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a pod whose devices are missing is reported, evicted if the policy requires it, and gets them if they return`() throws {
        for policy in ["never", "failed"] {
            let node = try start(policy)
            defer { node.removeAllPods() }
            let pod = try slip(node)
            // The interface of the plan is missing.
            _ = try ChildProcess.run("/sbin/ip", ["link", "set", "ib0", "name", "away"], in: node.host)
            try node.startInjector()
            #expect(try eventually { try events(node) == ["DevicesMissing one"] })
            if policy == "failed" { #expect(eventually { isEvicted(node) }) }
            _ = try ChildProcess.run("/sbin/ip", ["link", "set", "away", "down"], in: node.host)
            _ = try ChildProcess.run("/sbin/ip", ["link", "set", "away", "name", "ib0"], in: node.host)
            #expect(try eventually { try node.isAttached("net1", in: pod) }, "\(node.log("nri.log"))")
            #expect(try eventually { try events(node).sorted() == ["DevicesLate one", "DevicesMissing one"] })
            // Both reports of the pod have been handled by now.
            #expect(isEvicted(node) == (policy == "failed"))
            try node.runtime?.stop(pod)
        }
    }

    @Test
    func `the policy late evicts all pods that started without devices, within their disruption budgets`() throws {
        let node = try start("late")
        defer { node.removeAllPods() }
        let pod = try slip(node)
        node.api.inject(.init("POST", "/api/v1/namespaces/default/pods/one/eviction", code: 429, times: 1))
        try node.startInjector()
        #expect(try eventually { try events(node) == ["DevicesLate one"] })
        #expect(eventually { (try? node.api.pod("one")) == nil && isEvicted(node) })
        try node.runtime?.stop(pod)
    }

    @Test
    func `the claims of a pod are queried until they are known`() throws {
        let node = try start("never")
        defer { node.removeAllPods() }
        try node.addClaim("slipped", pod: "pod-0")
        try node.prepare("slipped")
        try node.api.reserve("slipped", for: ConsumerReference(resource: "pods", name: "one", uid: "pod-1"))
        node.kill(injector: SIGKILL)
        node.dropRuntime()
        let pod = try node.makePod("one", uid: "pod-1")
        var container = NRIContainer()
        (container.id, container.podSandboxID, container.state) = ("container-1", pod.id, .containerRunning)
        node.containers = [container]
        node.api.inject(.init("GET", "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/", code: 500, times: 1000))
        try node.startInjector()
        #expect(try !node.hasInterface("net1", in: pod))
        node.api.recover()
        #expect(try eventually { try node.isAttached("net1", in: pod) }, "\(node.log("nri.log"))")
        #expect(try eventually { try events(node) == ["DevicesLate one"] })
        try node.runtime?.stop(pod)
    }
}
