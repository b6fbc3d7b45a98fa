// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import KubeletAPI
import KubeletPlugin
import Linux
import Primitives
import ResourceAPI
import Testbed
import Testing

/// Actions of a kubelet, another pod of the driver and other drivers on the sockets, and the health stream.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct RegistrationTests {
    private func node(_ arguments: [String] = [], machine: String = "aws-p4d") throws -> TestNode {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded(machine)).machine)
        options.nodeArguments = arguments
        return try TestNode(options)
    }

    private func registry(_ node: TestNode) -> [String] { Files.list(node.scratch("plugins_registry")).filter { $0.hasSuffix(".sock") } }

    @Test
    func `after a refusal of the kubelet the driver registers again with a new socket`() throws {
        let node = try node()
        try node.startNode()
        let socket = node.scratch("plugins_registry/dra.nearside-reg.sock")
        let first = try Files.stamp(socket)
        _ = try KubeletPeer(registrationSocket: socket, refusal: "plugin registration failed: too many drivers")
        #expect(eventually { (try? Files.stamp(socket)).map { $0 != first } ?? false }, "\(node.log("node.log"))")
        #expect(node.log("node.log").contains("the kubelet refused the registration: plugin registration failed: too many drivers"))
        #expect(try KubeletPeer(registrationSocket: socket).info.name == "dra.nearside")
        #expect(node.nodeDaemon?.isRunning == true)
    }

    @Test
    func `a removed or replaced socket is created again`() throws {
        let node = try node()
        try node.startNode()
        let socket = node.scratch("plugins_registry/dra.nearside-reg.sock")
        // The watch has to start before the change.
        usleep(300_000)
        try Files.remove(socket)
        #expect(eventually { (try? KubeletPeer(registrationSocket: socket)) != nil }, "\(node.log("node.log"))")
        usleep(300_000)
        let other = try UnixSocket.listen(node.scratch("other.sock"))
        #expect(rename(node.scratch("other.sock"), socket) == 0)
        #expect(eventually { (try? KubeletPeer(registrationSocket: socket)) != nil }, "\(node.log("node.log"))")
        #expect(node.log("node.log").contains("another program put its own socket at"))
        withExtendedLifetime(other) {}
    }

    @Test
    func `a socket for claims that cannot be created ends the daemon with the reason`() throws {
        let node = try node()
        try Files.makeFolder(node.scratch("plugins/dra.nearside"))
        try Files.makeFolder(node.scratch("plugins/dra.nearside/dra.sock"))
        #expect(throws: (any Error).self) { try node.startNode() }
        #expect(eventually { node.nodeDaemon?.isRunning == false }, "\(node.log("node.log"))")
        #expect(node.log("node.log").contains("dra.sock"), "\(node.log("node.log"))")
    }

    @Test
    func `an instance that waits for another one ends on SIGTERM`() throws {
        let node = try node()
        try node.startNode()
        let second = try ChildProcess(
            "\(Place.programs)/nearside-node",
            [
                "--node-name", "testnode", "--host-root", node.scratch("host"), "--journal", node.scratch("journal"),
                "--states", node.scratch("states"),
                "--kubelet-root", node.scratch.path, "--api-server", node.api.url,
            ], in: node.host, output: node.scratch("second.log"))
        #expect(eventually { node.log("second.log").contains("another instance serves this driver; waiting for it to end") })
        #expect(second.stop() == 0)
        #expect((try? KubeletPeer(registrationSocket: node.scratch("plugins_registry/dra.nearside-reg.sock"))) != nil)
    }

    @Test
    func `another program with the same driver name is left alone until it ends`() throws {
        let node = try node()
        let socket = node.scratch("plugins_registry/dra.nearside-reg.sock")
        var other: Descriptor? = try UnixSocket.listen(socket)
        let identity = try Files.stamp(socket)
        let daemon = try ChildProcess(
            "\(Place.programs)/nearside-node",
            [
                "--node-name", "testnode", "--host-root", node.scratch("host"), "--journal", node.scratch("journal"),
                "--states", node.scratch("states"),
                "--kubelet-root", node.scratch.path, "--api-server", node.api.url,
            ], in: node.host, output: node.scratch("second.log"))
        #expect(eventually { node.log("second.log").contains("another program is registered with this driver's name") })
        #expect(try Files.stamp(socket) == identity)
        withExtendedLifetime(other) {}
        other = nil
        #expect(eventually { (try? KubeletPeer(registrationSocket: socket)) != nil }, "\(node.log("second.log"))")
        #expect(daemon.stop() == 0)
    }

    @Test
    func `two pods of a rolling update serve in parallel, one publishes, and a killed one leaves no files`() throws {
        let node = try node(["--pod-uid", "11111111-aaaa"], machine: "hgx-a100")
        try node.startInjector()
        let first = node.scratch("plugins_registry/dra.nearside-11111111-aaaa-reg.sock")
        try node.startNode(registrationSocket: first)
        #expect(try eventually { try node.api.hasWholePool() })
        let published = try node.api.slices()
        let second = try ChildProcess(
            "\(Place.programs)/nearside-node",
            [
                "--node-name", "testnode", "--own", "gpus", "--host-root", node.scratch("host"), "--journal", node.scratch("journal"),
                "--states", node.scratch("states"),
                "--kubelet-root", node.scratch.path, "--api-server", node.api.url, "--pod-uid", "22222222-bbbb", "--metrics", "off",
            ], in: node.host, output: node.scratch("second.log"))
        let socket = node.scratch("plugins_registry/dra.nearside-22222222-bbbb-reg.sock")
        #expect(eventually { (try? UnixSocket.connect(socket)) != nil }, "\(node.log("second.log"))")
        let kubelet = try KubeletPeer(registrationSocket: socket)
        #expect(kubelet.info.endpoint.hasSuffix("/dra-22222222-bbbb.sock"))
        #expect(registry(node).count == 2)
        #expect(eventually { node.log("second.log").contains("another instance publishes the devices of this node") })
        // Each instance prepares, and each unprepares claims of the other.
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: "a", namespace: "default", uid: "uid-a"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(results: [
                            AllocatedDevice(request: "gpu", driver: "dra.nearside", pool: "testnode", device: "pci-0000-07-00-0")
                        ])))))
        let devices = try #require(try node.kubelet?.prepare(namespace: "default", name: "a", uid: "uid-a"))
        #expect(try kubelet.prepare(namespace: "default", name: "a", uid: "uid-a") == devices)
        try kubelet.unprepare(namespace: "default", name: "a", uid: "uid-a")
        try node.kubelet?.unprepare(namespace: "default", name: "a", uid: "uid-a")
        #expect(Files.list(node.scratch("journal/plans")).isEmpty)
        // The old instance is killed: its socket remains until the next one starts.
        node.kill(node: SIGKILL)
        #expect(registry(node).count == 2)
        // The second instance publishes now, and restores deleted slices.
        try node.api.deleteAllSlices()
        #expect(try eventually { try node.api.hasWholePool() }, "\(node.log("second.log"))")
        let rewritten = try node.api.slices().flatMap { $0.spec.devices ?? [] }.map(\.name).sorted()
        #expect(rewritten == published.flatMap { $0.spec.devices ?? [] }.map(\.name).sorted())
        #expect(second.stop() == 0)
        #expect(registry(node) == ["dra.nearside-11111111-aaaa-reg.sock"])
        try node.startNode(registrationSocket: first)
        #expect(registry(node) == ["dra.nearside-11111111-aaaa-reg.sock"])
        node.kill(node: SIGKILL)
        let third = node.scratch("plugins_registry/dra.nearside-33333333-cccc-reg.sock")
        node.options.nodeArguments = ["--pod-uid", "33333333-cccc"]
        try node.startNode(registrationSocket: third)
        #expect(eventually { registry(node) == ["dra.nearside-33333333-cccc-reg.sock"] }, "\(registry(node))")
        #expect(Files.list(node.scratch("plugins/dra.nearside")).filter { $0.hasSuffix(".sock") } == ["dra-33333333-cccc.sock"])
    }

    @Test
    func `names of sockets fit for any names of the driver and the pod`() throws {
        let uid = "0d2c2a4e-5f0b-4a57-9d6b-3f1f5a2d7c11"
        let plain = try SocketNames(driver: "dra.nearside", registry: "/var/lib/kubelet/plugins_registry", data: "/d", podUID: uid)
        #expect(
            plain.registration == "/var/lib/kubelet/plugins_registry/dra.nearside-\(uid)-reg.sock" && plain.service == "/d/dra-\(uid).sock")
        let medium = try SocketNames(
            driver: String(repeating: "d", count: 40), registry: "/var/lib/kubelet/plugins_registry", data: "/d", podUID: uid)
        // The first eight bytes of the SHA-256 in base64url.
        let digest = try ChildProcess.run(
            "/bin/sh", ["-c", "printf %s \(uid) | openssl dgst -sha256 -binary | head -c 8 | base64 | tr '+/' '-_' | tr -d '=\\n'"]
        ).output
        #expect(
            medium.registration.hasSuffix("/\(String(repeating: "d", count: 40))-\(digest)-reg.sock"), "\(medium.registration) \(digest)")
        let long = try SocketNames(
            driver: String(repeating: "d", count: 63), registry: "/var/lib/kubelet/plugins_registry", data: "/d", podUID: uid)
        #expect(long.registration.utf8.count <= 107 && long.registration.contains("/dra-"))
        let error = #expect(throws: InputError.self) {
            try SocketNames(driver: "d", registry: "/" + String(repeating: "r", count: 100), data: "/d", podUID: nil)
        }
        #expect(error?.code == .outOfBounds && error?.object.hasPrefix("socket path /rrr") == true)
    }

    @Test
    func `the health of all devices is streamed in both versions, and a lost driver is reported`() throws {
        let node = try node(machine: "hgx-a100")
        try node.startNode()
        let kubelet = try #require(node.kubelet)
        let stream = try kubelet.watchHealth("v1", HealthV1NodeWatchResourcesResponse.self)
        let old = try kubelet.watchHealth("v1alpha1", HealthV1Alpha1NodeWatchResourcesResponse.self)
        let first = try #require(try stream.next())
        // 8 GPUs, 8 fabric NICs, 8 pairs, and sets of 2, 4 and 8.
        #expect(first.devices.count == 8 + 8 + 8 + 4 + 2 + 1)
        #expect(
            first.devices.allSatisfy { $0.health == .healthy && $0.device.poolName == "testnode" && $0.healthCheckTimeoutSeconds == 60 })
        #expect(try old.next()?.devices.count == first.devices.count)
        // The GPU is unbound from its driver.
        let folder = "host/sys/bus/pci/devices/0000:07:00.0"
        let resolved = try #require(Files.resolve(node.scratch(folder)))
        let uevent = try Files.readText("\(resolved)/uevent")
        try Files.write(
            "\(resolved)/uevent", uevent.split(separator: "\n").filter { !$0.hasPrefix("DRIVER=") }.joined(separator: "\n") + "\n")
        try Files.remove("\(resolved)/driver")
        _ = try ChildProcess.run("/sbin/ip", ["link", "set", "ib1", "mtu", "1400"], in: node.host)
        var bad: [String: String] = [:]
        #expect(
            try eventually {
                guard let next = try stream.next(milliseconds: 2000) else { return false }
                bad = Dictionary(
                    uniqueKeysWithValues: next.devices.filter { $0.health == .unhealthy }.map { ($0.device.deviceName, $0.message) })
                return !bad.isEmpty
            })
        #expect(bad["pci-0000-07-00-0"]?.contains("no kernel driver is bound") == true, "\(bad)")
        #expect(bad.count == 5, "the GPU, its pair and its sets: \(bad.keys.sorted())")
        #expect(try eventually { try node.api.slices().flatMap { $0.spec.devices ?? [] }.count { $0.taints != nil } == 5 })
        #expect(
            try eventually {
                try node.api.events().contains {
                    $0.reason == "DriverMissing" && $0.involvedObject.name == "testnode" && $0.type == .warning
                }
            })
        // The metrics show it too.
        let page = try get("/metrics", port: 9178, node)
        #expect(page.contains("nearside_device_troubles{trouble=\"no-driver\"} 1\n") && page.contains("nearside_pairs 8\n"), "\(page)")
        #expect(page.contains("nearside_cluster_feature_missing{feature=\"taints\",gate=\"DRADeviceTaints\"} 0\n"))
        try Files.write("\(resolved)/uevent", uevent)
        _ = try ChildProcess.run("/bin/ln", ["-s", "../../../bus/pci/drivers/nvidia", "\(resolved)/driver"])
        _ = try ChildProcess.run("/sbin/ip", ["link", "set", "ib1", "mtu", "1500"], in: node.host)
        #expect(try eventually { try node.api.slices().flatMap { $0.spec.devices ?? [] }.allSatisfy { $0.taints == nil } })
        #expect(try eventually { try node.api.events().contains { $0.reason == "DriverBound" && $0.type == .normal } })
    }

    @Test
    func `an interface without carrier is tainted until its link is stable again`() throws {
        let node = try node()
        try node.startNode()
        #expect(try eventually { try node.api.hasWholePool() })
        func tainted() throws -> [String] {
            try node.api.slices().flatMap { $0.spec.devices ?? [] }.filter { $0.taints?.first?.key == "dra.nearside/link-down" }.map(\.name)
        }
        #expect(try tainted().isEmpty)
        // All interfaces are stacked on one wire.
        _ = try ChildProcess.run("/sbin/ip", ["link", "set", "wire0", "down"], in: node.host)
        #expect(try eventually { try !tainted().isEmpty }, "\(node.log("node.log"))")
        _ = try ChildProcess.run("/sbin/ip", ["link", "set", "wire0", "up"], in: node.host)
        usleep(1_000_000)
        #expect(try !tainted().isEmpty, "not at once")
        #expect(try eventually { try tainted().isEmpty })
        #expect(try eventually { try node.api.events().contains { $0.reason == "LinkUp" } })
    }

    @Test
    func `a metrics port in use does not prevent serving the kubelet`() throws {
        let node = try node()
        // The API server's port.
        node.options.nodeArguments = ["--metrics", String(node.api.url.dropFirst("http://".count))]
        try node.startNode()
        #expect(try eventually { try node.api.hasWholePool() })
        #expect(eventually { node.log("node.log").contains("the port for metrics is in use") })
        #expect(node.nodeDaemon?.stop() == 0)
    }

    @Test
    func `the metrics port also serves health, and other paths get the list of paths`() throws {
        let node = try node(["--metrics", "127.0.0.1:9299"])
        try node.startNode()
        #expect(eventually { (try? get("/healthz", port: 9299, node))?.hasSuffix("\r\n\r\nok\n") == true })
        #expect(try get("/other", port: 9299, node).hasPrefix("HTTP/1.1 404"))
        #expect(try get("/metrics", port: 9299, node, method: "DELETE").hasPrefix("HTTP/1.1 405"))
        // Neither noise nor a silent client has an effect.
        _ = try ChildProcess.run("/bin/bash", ["-c", "head -c 100000 /dev/urandom > /dev/tcp/127.0.0.1/9299"], in: node.host)
        #expect(try get("/healthz", port: 9299, node).hasPrefix("HTTP/1.1 200"))
        #expect(node.nodeDaemon?.isRunning == true)
    }

    @Test
    func `the metrics include the durations of the kubelet's calls, also of refused ones`() throws {
        let node = try node(machine: "hgx-a100")
        try node.startInjector()
        try node.startNode()
        try node.addClaim("gpu", devices: ["pci-0000-07-00-0"], interface: nil)
        try node.addClaim("nothing", devices: ["pci-ffff-00-00-0"], interface: nil)
        for _ in 0..<3 { try node.prepare("gpu") }
        #expect(throws: KubeletPeer.Failure.self) { try node.prepare("nothing") }
        try node.unprepare("gpu")
        let page = try get("/metrics", port: 9178, node)
        for line in [
            "_bucket{call=\"prepare\",outcome=\"done\",le=\"45.0\"} 3", "_bucket{call=\"prepare\",outcome=\"done\",le=\"+Inf\"} 3",
            "_count{call=\"prepare\",outcome=\"refused\"} 1", "_count{call=\"unprepare\",outcome=\"done\"} 1",
        ] { #expect(page.contains("\nnearside_claim_call_duration_seconds\(line)\n"), "\(page)") }
        #expect(page.contains("# TYPE nearside_claim_call_duration_seconds histogram\n"))
    }

    private func get(_ path: String, port: Int, _ node: TestNode, method: String = "GET") throws -> String {
        let request = "\(method) \(path) HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"
        return try ChildProcess.run(
            "/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port); printf '\(request)' >&3; cat <&3"], in: node.host
        ).output
    }
}
