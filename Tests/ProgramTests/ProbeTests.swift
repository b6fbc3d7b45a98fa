// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import ResourceAPI
import Testbed
import Testing

/// Answers to probes, and publication before the registration with the kubelet.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct ProbeTests {
    private func node(_ arguments: [String] = []) throws -> TestNode {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
        options.nodeArguments = arguments
        return try TestNode(options)
    }

    private func check(_ level: String, _ node: TestNode, pod: String? = nil) throws -> (status: Int32, output: String) {
        let environment = pod.map { ["POD_UID=\($0)"] } ?? []
        return try ChildProcess.run(
            "/usr/bin/env",
            environment + ["\(Place.programs)/nearside-node", "--check", level, "--journal", node.scratch("journal")], in: node.host)
    }

    /// An instance in a pod, without a kubelet that has registered it.
    private func instance(_ node: TestNode, pod: String, _ arguments: [String] = []) throws -> ChildProcess {
        try ChildProcess(
            "\(Place.programs)/nearside-node",
            [
                "--node-name", "testnode", "--own", "gpus", "--host-root", node.scratch("host"), "--journal", node.scratch("journal"),
                "--states", node.scratch("states"), "--kubelet-root", node.scratch.path, "--api-server", node.api.url, "--pod-uid",
                pod,
            ] + arguments, in: node.host, output: node.scratch("\(pod).log"))
    }

    @Test
    func `an instance is alive when it answers, and ready with its registration, nearside-nri and accepted slices`() throws {
        let node = try node()
        #expect(try check("alive", node).status == 1, "no instance runs")
        node.api.inject(.init("POST", "/apis/resource.k8s.io/v1/resourceslices", code: 403, times: 1000))
        let daemon = try instance(node, pod: "pod-a")
        func ready() throws -> String { try check("ready", node, pod: "pod-a").output }
        #expect(try eventually { try check("alive", node, pod: "pod-a").output == "alive\n" }, "\(node.log("pod-a.log"))")
        #expect(try ready().hasPrefix("not ready: the kubelet has not queried this plugin yet"))
        let kubelet = try KubeletPeer(registrationSocket: node.scratch("plugins_registry/dra.nearside-pod-a-reg.sock"))
        #expect(try eventually { try ready().hasPrefix("not ready: nearside-nri does not answer") })
        try node.startInjector()
        #expect(try ready() == "not ready: the API server has not accepted all slices of this node yet\n")
        node.api.recover()
        daemon.signal(SIGTERM)
        daemon.wait()
        let next = try instance(node, pod: "pod-b")
        let socket = node.scratch("plugins_registry/dra.nearside-pod-b-reg.sock")
        #expect(eventually { (try? KubeletPeer(registrationSocket: socket)) != nil }, "\(node.log("pod-b.log"))")
        #expect(try eventually { try check("ready", node, pod: "pod-b").status == 0 }, "\(node.log("pod-b.log"))")
        #expect(try check("ready", node, pod: "pod-b").output == "ready\n")
        // The kubelet refuses the driver later, as after a change of versions.
        _ = try KubeletPeer(registrationSocket: socket, refusal: "no such version")
        #expect(
            try eventually {
                try check("ready", node, pod: "pod-b").output == "not ready: the kubelet refused the registration: no such version\n"
            })
        // A stopped process does not answer, and an ended process is absent.
        next.signal(SIGSTOP)
        #expect(try check("alive", node, pod: "pod-b").status == 1)
        next.signal(SIGCONT)
        #expect(try check("alive", node, pod: "pod-b").status == 0)
        #expect(next.stop() == 0)
        #expect(try check("alive", node, pod: "pod-b").status == 1)
        withExtendedLifetime(kubelet) {}
    }

    @Test
    func `each of two instances answers probes, and an instance that does not write slices is ready too`() throws {
        let node = try node(["--pod-uid", "pod-a"])
        try node.startInjector()
        try node.startNode(registrationSocket: node.scratch("plugins_registry/dra.nearside-pod-a-reg.sock"))
        #expect(try eventually { try check("ready", node, pod: "pod-a").status == 0 })
        let next = try instance(node, pod: "pod-b")
        #expect(try eventually { try check("alive", node, pod: "pod-b").status == 0 }, "\(node.log("pod-b.log"))")
        #expect(try check("ready", node, pod: "pod-b").status == 1)
        #expect(try check("ready", node, pod: "pod-a").status == 0)
        let kubelet = try KubeletPeer(registrationSocket: node.scratch("plugins_registry/dra.nearside-pod-b-reg.sock"))
        #expect(try eventually { try check("ready", node, pod: "pod-b").status == 0 })
        #expect(node.log("pod-b.log").contains("another instance publishes the devices of this node"))
        // A killed pod leaves its socket behind, and the next one removes it.
        next.stop(SIGKILL)
        #expect(Files.exists(node.scratch("journal/node-pod-b.sock")))
        let third = try instance(node, pod: "pod-c")
        #expect(eventually { !Files.exists(node.scratch("journal/node-pod-b.sock")) })
        third.stop()
        withExtendedLifetime(kubelet) {}
    }

    @Test
    func `a node without slices gets them after the registration with the kubelet, and a node with slices at once`() throws {
        let node = try node()
        let daemon = try instance(node, pod: "pod-a")
        #expect(eventually { node.log("pod-a.log").contains("they are written after the registration with the kubelet") })
        #expect(try node.api.slices().isEmpty)
        let kubelet = try KubeletPeer(registrationSocket: node.scratch("plugins_registry/dra.nearside-pod-a-reg.sock"))
        #expect(try eventually { try node.api.hasWholePool() }, "\(node.log("pod-a.log"))")
        #expect(daemon.stop() == 0)
        // The published slices change while no kubelet runs.
        let slice = try #require(try node.api.slices().first { $0.spec.devices != nil })
        try node.api.remove("resourceslices", slice.metadata.name ?? "")
        #expect(try node.api.slices().isEmpty == false)
        let next = try instance(node, pod: "pod-b")
        #expect(try eventually { try node.api.hasWholePool() && node.api.slices().contains { $0.spec.devices != nil } })
        #expect(next.stop() == 0)
        withExtendedLifetime(kubelet) {}
    }

    @Test
    func `a metrics port in use by the previous instance is reported, and served when it is free`() throws {
        let node = try node()
        let first = try instance(node, pod: "pod-a", ["--metrics", "127.0.0.1:9188"])
        func health() throws -> String {
            try ChildProcess.run(
                "/bin/bash",
                ["-c", "exec 3<>/dev/tcp/127.0.0.1/9188; printf 'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3"],
                in: node.host
            ).output
        }
        #expect(try eventually { try health().hasSuffix("ok\n") }, "\(node.log("pod-a.log"))")
        let second = try instance(node, pod: "pod-b", ["--metrics", "127.0.0.1:9188"])
        #expect(eventually { node.log("pod-b.log").contains("the port for metrics is in use") })
        for word in ["errno", "bind("] { #expect(!node.log("pod-b.log").contains(word)) }
        // The socket that nearside-nri queries also belongs to the first instance.
        #expect(try check("alive", node).status == 0 && check("alive", node, pod: "pod-b").status == 0)
        first.stop()
        #expect(eventually { node.log("pod-b.log").contains("serving metrics") })
        #expect(try health().hasSuffix("ok\n"))
        #expect(try eventually { try check("alive", node).status == 0 })
        #expect(second.stop() == 0)
    }
}
